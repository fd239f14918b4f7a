import django.db.models.deletion
from django.db import migrations

import foundation.tenancy.models
from foundation.tenancy.operations import TieTenantKey


class Migration(migrations.Migration):
    dependencies = [("identity", "0007_sessions_from")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="made_by",
            field=foundation.tenancy.models.TenantForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="made",
                to="identity.apikey",
            ),
        ),
        TieTenantKey("apikey", "made_by"),
    ]
