from django.db import migrations

from foundation.tenancy.operations import CountChanges


class Migration(migrations.Migration):
    dependencies = [("tools", "0003_stateful_runtime"), ("organisations", "0003_configuration")]
    operations = [
        CountChanges("connector"),
        CountChanges("tool"),
        CountChanges("credential"),
    ]
