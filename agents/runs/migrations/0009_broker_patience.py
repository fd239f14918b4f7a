from django.db import migrations

# A worker that is cut off between two messages of a transaction would hold its locks on the queue for as long as TCP
# believes in it, and whoever starts or rings meanwhile would wait for them.
PATIENT = """
SET LOCAL ROLE remit_broker;
ALTER ROLE remit_broker SET idle_in_transaction_session_timeout = '5s';
RESET ROLE;
"""
FORMER = """
SET LOCAL ROLE remit_broker;
ALTER ROLE remit_broker RESET idle_in_transaction_session_timeout;
RESET ROLE;
"""


class Migration(migrations.Migration):
    dependencies = [("runs", "0008_room")]
    operations = [migrations.RunSQL(PATIENT, FORMER)]
