from django.db import migrations

from foundation.tenancy.operations import APPEND, CHANGE, READ, AppendOnly, IsolateTenant, PartitionByTime


class Migration(migrations.Migration):
    dependencies = [("budgets", "0001_initial"), ("organisations", "0002_tenancy")]
    operations = [
        PartitionByTime("ledgerentry"),
        IsolateTenant("budget", engine=CHANGE),
        IsolateTenant("reservation", engine=CHANGE, serving=READ),
        IsolateTenant("ledgerentry", engine=APPEND, serving=APPEND, system=APPEND),
        AppendOnly("ledgerentry"),
    ]
