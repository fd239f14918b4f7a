import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import foundation.ids
from foundation.tenancy.operations import IsolateTenant


class Migration(migrations.Migration):
    initial = True

    dependencies = [("organisations", "0003_configuration")]

    operations = [
        migrations.CreateModel(
            name="Submission",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("principal", models.UUIDField()),
                ("key", models.CharField(max_length=120)),
                ("digest", models.CharField(max_length=64)),
                ("model", models.CharField(blank=True, max_length=100)),
                ("thing", models.UUIDField(blank=True, null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "principal", "key"), name="submission_once")
                ],
            },
        ),
        IsolateTenant("submission", engine=""),
    ]
