from django.db import migrations

from foundation.tenancy.operations import IsolateTenant


class Migration(migrations.Migration):
    dependencies = [("tools", "0001_initial"), ("organisations", "0002_tenancy")]
    operations = [
        IsolateTenant("credential"),
        IsolateTenant("connector"),
        IsolateTenant("tool"),
    ]
