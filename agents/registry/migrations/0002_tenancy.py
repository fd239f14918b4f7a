from django.db import migrations

from foundation.tenancy.operations import APPEND, AppendOnly, IsolateTenant


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial"), ("catalogue", "0002_tenancy"), ("identity", "0002_tenancy")]
    operations = [
        IsolateTenant("agent"),
        IsolateTenant("agentversion", serving=APPEND, system=APPEND),
        AppendOnly("agentversion"),
    ]
