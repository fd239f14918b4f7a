"""A new principal changes no definition that anybody has read: nothing could name it before.

While a directory sends its people, what runs do is judged undisturbed. A principal that changes counts as before.
"""

from django.db import migrations

_COUNT_AGAIN = """
CREATE TRIGGER "identity_principal_counted_insert" AFTER INSERT ON "identity_principal"
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_count_changes()
"""


class Migration(migrations.Migration):
    dependencies = [("identity", "0010_shown_to")]

    operations = [
        migrations.RunSQL('DROP TRIGGER "identity_principal_counted_insert" ON "identity_principal"', _COUNT_AGAIN)
    ]
