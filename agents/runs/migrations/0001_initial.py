import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import foundation.ids
import foundation.tenancy.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("identity", "0002_tenancy"),
        ("organisations", "0002_tenancy"),
        ("registry", "0002_tenancy"),
    ]

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("name", models.CharField(max_length=120, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=20)),
                ("seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("run_id", models.UUIDField()),
                ("number", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("data", models.JSONField(default=dict)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
            ],
            options={
                "ordering": ["run_id", "number"],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("counterpart", models.CharField(blank=True, max_length=300)),
                ("label", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(choices=[("open", "Open"), ("closed", "Closed")], default="open", max_length=6),
                ),
                (
                    "agent",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sessions", to="registry.agent"
                    ),
                ),
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
                (
                    "version",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="registry.agentversion"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Step",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("run_id", models.UUIDField()),
                ("number", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("model_call", "Model call"),
                            ("tool_call", "Tool call"),
                            ("delegation", "Delegation"),
                            ("decision_wait", "Decision wait"),
                        ],
                        max_length=13,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("intended", "Intended"),
                            ("waiting", "Waiting"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("unknown", "Unknown"),
                            ("refused", "Refused"),
                        ],
                        max_length=9,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                ("name", models.CharField(max_length=160)),
                ("call_id", models.CharField(blank=True, max_length=160)),
                ("effect", models.CharField(blank=True, max_length=10)),
                ("idempotency_key", models.CharField(blank=True, max_length=120)),
                ("digest", models.CharField(blank=True, max_length=80)),
                ("decision_id", models.UUIDField(null=True)),
                ("verdict", models.JSONField(default=dict)),
                ("input", models.JSONField(default=dict)),
                ("output", models.JSONField(null=True)),
                ("label", models.JSONField(default=dict)),
                ("provenance", models.JSONField(default=dict)),
                ("usage", models.JSONField(default=dict)),
                ("cost", models.BigIntegerField(default=0)),
                ("child_id", models.UUIDField(null=True)),
                ("error", models.TextField(blank=True)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
            ],
            options={
                "ordering": ["run_id", "number"],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("root_id", models.UUIDField()),
                ("depth", models.PositiveSmallIntegerField(default=0)),
                ("chain", models.JSONField(default=list)),
                ("title", models.CharField(max_length=200)),
                ("source", models.CharField(default="console", max_length=40)),
                ("submission", models.CharField(blank=True, max_length=120, null=True)),
                ("input", models.JSONField()),
                ("input_label", models.JSONField(default=dict)),
                ("output", models.JSONField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("waiting", "Waiting"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("failure", models.TextField(blank=True)),
                ("fence", models.BigIntegerField(default=0)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("worker", models.CharField(blank=True, max_length=120)),
                ("crashes", models.PositiveSmallIntegerField(default=0)),
                (
                    "waits_for",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("approval", "Approval"),
                            ("child", "Child"),
                            ("timer", "Timer"),
                            ("person", "Person"),
                        ],
                        max_length=8,
                    ),
                ),
                ("waits_on", models.UUIDField(blank=True, null=True)),
                ("wake_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("admitted", models.BooleanField(default=False)),
                ("rung_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("steps_written", models.PositiveIntegerField(default=0)),
                ("events_written", models.PositiveIntegerField(default=0)),
                ("deadline", models.DateTimeField()),
                ("budget", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("cost", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("rehearsed", models.BooleanField(default=False)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agent",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="registry.agent"
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
                (
                    "parent",
                    foundation.tenancy.models.TenantForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="runs.run",
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
                    "target",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.granttarget"
                    ),
                ),
                (
                    "version",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="registry.agentversion"
                    ),
                ),
                (
                    "session",
                    foundation.tenancy.models.TenantForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="runs.session"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["organisation", "-id"], name="run_newest"),
                    models.Index(fields=["target", "-id"], name="run_by_target"),
                    models.Index(fields=["parent"], name="run_children"),
                    models.Index(condition=models.Q(("state", "running")), fields=["lease_until"], name="run_leases"),
                    models.Index(condition=models.Q(("state", "queued")), fields=["id"], name="run_queued"),
                    models.Index(condition=models.Q(("state", "waiting")), fields=["wake_at"], name="run_wakes"),
                    models.Index(condition=models.Q(("state", "waiting")), fields=["waits_on"], name="run_waits"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "submission"), name="run_submission"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "queued"),
                            models.Q(("lease_until__isnull", False), ("state", "running")),
                            models.Q(("state", "waiting"), models.Q(("waits_for", ""), _negated=True)),
                            models.Q(
                                ("ended_at__isnull", False),
                                ("state__in", ["succeeded", "failed", "cancelled", "expired"]),
                            ),
                            _connector="OR",
                        ),
                        name="run_live",
                    ),
                ],
            },
        ),
    ]
