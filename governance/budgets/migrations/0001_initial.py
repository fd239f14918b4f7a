import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models

import foundation.ids
import foundation.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("organisations", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("run_id", models.UUIDField()),
                ("decision_id", models.UUIDField()),
                ("kind", models.CharField(max_length=8)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("organisation", "Organisation"),
                            ("team", "Team"),
                            ("agent", "Agent"),
                            ("run", "Run"),
                        ],
                        max_length=12,
                    ),
                ),
                ("scope_id", models.UUIDField()),
                (
                    "period",
                    models.CharField(choices=[("month", "Month"), ("total", "Total")], default="month", max_length=5),
                ),
                ("starts_at", models.DateTimeField()),
                ("currency", models.CharField(max_length=3)),
                ("limit", models.BigIntegerField()),
                ("settled", models.BigIntegerField(default=0)),
                ("reserved", models.BigIntegerField(default=0)),
                ("overrun", models.BigIntegerField(default=0)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
                (
                    "target",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.granttarget"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organisation", "scope", "scope_id", "starts_at"), name="budget_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("overrun__gte", 0),
                            ("reserved__gte", 0),
                            ("settled__gte", 0),
                            (
                                "settled__lte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("limit"), "-", models.F("reserved")
                                ),
                            ),
                        ),
                        name="budget_holds",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("run_id", models.UUIDField()),
                ("budgets", models.JSONField()),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "state",
                    models.CharField(
                        choices=[("held", "Held"), ("settled", "Settled"), ("released", "Released")],
                        default="held",
                        max_length=8,
                    ),
                ),
                ("settled", models.BigIntegerField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
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
                "indexes": [
                    models.Index(condition=models.Q(("state", "held")), fields=["run_id"], name="reservation_of_run")
                ],
            },
        ),
    ]
