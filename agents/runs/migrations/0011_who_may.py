import django.db.models.deletion
from django.db import migrations

import foundation.tenancy.models
from foundation.tenancy.operations import TieTenantKey


class Migration(migrations.Migration):
    dependencies = [("delegation", "0001_who_may"), ("runs", "0010_lighter")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="delegation",
            field=foundation.tenancy.models.TenantForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="delegation.delegationgrant",
            ),
        ),
        TieTenantKey("run", "delegation"),
    ]
