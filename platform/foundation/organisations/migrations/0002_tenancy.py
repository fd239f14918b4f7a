from django.db import migrations

from foundation.tenancy.operations import CHANGE, IsolateTenant


class Migration(migrations.Migration):
    dependencies = [("organisations", "0001_initial"), ("tenancy", "0001_functions")]
    operations = [
        IsolateTenant("organisation", column="id", serving=CHANGE),
        IsolateTenant("granttarget"),
        IsolateTenant("team"),
    ]
