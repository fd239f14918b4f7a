from django.db import migrations

from foundation.tenancy.operations import CountChanges


class Migration(migrations.Migration):
    dependencies = [("identity", "0003_attempts"), ("organisations", "0003_configuration")]
    operations = [
        CountChanges("principal"),
    ]
