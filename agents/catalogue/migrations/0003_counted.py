from django.db import migrations

from foundation.tenancy.operations import CountChanges


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0002_tenancy"), ("organisations", "0003_configuration")]
    operations = [
        CountChanges("provider"),
        CountChanges("languagemodel"),
        CountChanges("price"),
    ]
