from django.db import migrations

from foundation.tenancy.operations import APPEND, AppendOnly, IsolateTenant


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_initial"), ("organisations", "0002_tenancy")]
    operations = [
        IsolateTenant("provider"),
        IsolateTenant("languagemodel"),
        IsolateTenant("price", serving=APPEND, system=APPEND),
        AppendOnly("price"),
    ]
