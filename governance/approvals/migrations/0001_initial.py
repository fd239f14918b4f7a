import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import foundation.ids
import foundation.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0001_initial"),
        ("organisations", "0001_initial"),
        ("runs", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRequest",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("step", models.PositiveIntegerField()),
                ("decision_id", models.UUIDField()),
                ("tool", models.CharField(max_length=160)),
                ("arguments", models.JSONField()),
                ("digest", models.CharField(max_length=80)),
                ("generation", models.BigIntegerField()),
                ("label", models.JSONField()),
                ("question", models.CharField(max_length=300)),
                ("reasons", models.JSONField(default=list)),
                ("determinants", models.JSONField(default=list)),
                (
                    "risk",
                    models.CharField(
                        choices=[("low", "Low"), ("medium", "Medium"), ("high", "High"), ("critical", "Critical")],
                        default="medium",
                        max_length=8,
                    ),
                ),
                ("approvers", models.JSONField(default=list)),
                ("quorum", models.PositiveSmallIntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("approved", "Approved"),
                            ("consumed", "Consumed"),
                            ("denied", "Denied"),
                            ("expired", "Expired"),
                            ("void", "Void"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
                (
                    "requester",
                    foundation.tenancy.models.TenantForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="identity.principal",
                    ),
                ),
                (
                    "run",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="approval_requests", to="runs.run"
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
                "ordering": ["-id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Vote",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("approve", models.BooleanField()),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("digest", models.CharField(max_length=80)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
                (
                    "principal",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.principal"
                    ),
                ),
                (
                    "request",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="votes",
                        to="approvals.approvalrequest",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["target", "expires_at"], name="approval_queue"
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.CheckConstraint(condition=models.Q(("quorum__gte", 1)), name="approval_quorum"),
        ),
        migrations.AddConstraint(
            model_name="vote",
            constraint=models.UniqueConstraint(fields=("request", "principal"), name="vote_once"),
        ),
    ]
