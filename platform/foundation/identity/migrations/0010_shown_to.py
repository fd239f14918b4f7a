import django.db.models.deletion
from django.db import migrations

import foundation.tenancy.models
from foundation.tenancy.operations import TieTenantKey


class Migration(migrations.Migration):
    dependencies = [("identity", "0009_ring")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="shown_to",
            field=foundation.tenancy.models.TenantForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="seen_keys",
                to="identity.principal",
            ),
        ),
        TieTenantKey("apikey", "shown_to"),
    ]
