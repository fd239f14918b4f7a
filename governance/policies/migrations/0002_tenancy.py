from django.db import migrations

from foundation.tenancy.operations import APPEND, READ, AppendOnly, IsolateTenant, PartitionByTime


class Migration(migrations.Migration):
    dependencies = [("policies", "0001_initial"), ("organisations", "0002_tenancy")]
    operations = [
        PartitionByTime("policydecision"),
        IsolateTenant("policy"),
        IsolateTenant("policyversion", serving=APPEND, system=APPEND),
        AppendOnly("policyversion"),
        IsolateTenant("policygeneration", engine="SELECT, UPDATE"),
        IsolateTenant("policydecision", engine=APPEND, serving=READ, system=READ),
        AppendOnly("policydecision"),
    ]
