from django.db import migrations

from foundation.tenancy.operations import IsolateTenant


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial"), ("identity", "0002_tenancy")]
    operations = [
        IsolateTenant("grant"),
    ]
