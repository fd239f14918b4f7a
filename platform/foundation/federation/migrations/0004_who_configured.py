import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns that may be empty: no row is written, and the lock is as short as it can be."""

    dependencies = [("federation", "0003_ring")]

    operations = [
        migrations.AddField("identityprovider", "configured_by", models.UUIDField(blank=True, null=True)),
        migrations.AddField(
            "identityprovider",
            "strength",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60), blank=True, null=True, size=None
            ),
        ),
        migrations.AddField(
            "groupmapping",
            "mapped_by",
            django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), blank=True, null=True, size=None),
        ),
    ]
