from django.db import migrations

from foundation.tenancy.operations import CountChanges


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_stateful_runtime"), ("organisations", "0003_configuration")]
    operations = [
        CountChanges("agent"),
    ]
