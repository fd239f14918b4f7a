from django.db import migrations

from foundation.tenancy.operations import APPEND, CHANGE, AppendOnly, IsolateTenant


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial"), ("runs", "0002_tenancy")]
    operations = [
        IsolateTenant("approvalrequest", engine=CHANGE, serving=CHANGE),
        IsolateTenant("vote", serving=APPEND, system=APPEND),
        AppendOnly("vote"),
    ]
