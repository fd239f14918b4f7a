import django.db.models.deletion
from django.db import migrations, models

import foundation.tenancy.models
from foundation.tenancy.operations import TieTenantKey


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0005_who_may"),
        ("registry", "0004_counted"),
    ]

    operations = [
        migrations.AlterField(
            model_name="agent",
            name="state",
            field=models.CharField(
                choices=[
                    ("draft", "Draft"),
                    ("in_review", "In review"),
                    ("active", "Active"),
                    ("suspended", "Suspended"),
                    ("retired", "Retired"),
                ],
                default="draft",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="agent",
            name="submitted_by",
            field=foundation.tenancy.models.TenantForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="identity.principal",
            ),
        ),
        TieTenantKey("agent", "submitted_by"),
    ]
