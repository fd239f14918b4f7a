from django.db import migrations, models

import foundation.audit.fields
import foundation.ids
from foundation.audit.operations import IsolateRecord
from foundation.tenancy.operations import AppendOnly, PartitionByTime


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tenancy", "0001_functions")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("organisation_id", models.UUIDField(null=True)),
                ("at", models.DateTimeField(db_default=foundation.audit.fields.ClockTimestamp())),
                (
                    "xid",
                    foundation.audit.fields.TransactionIdField(db_default=foundation.audit.fields.CurrentTransaction()),
                ),
                ("epoch", models.BigIntegerField(db_default=foundation.audit.fields.CurrentEpoch())),
                ("actor_kind", models.TextField()),
                ("actor_id", models.UUIDField(null=True)),
                ("actor_name", models.TextField()),
                ("actor_chain", models.JSONField(default=list)),
                ("method", models.TextField()),
                ("action", models.TextField()),
                ("target_kind", models.TextField(default="")),
                ("target_id", models.UUIDField(null=True)),
                ("target_name", models.TextField(default="")),
                (
                    "outcome",
                    models.TextField(
                        choices=[("ok", "Ok"), ("denied", "Denied"), ("failed", "Failed"), ("asked", "Asked")]
                    ),
                ),
                ("reason", models.TextField(default="")),
                ("details", models.JSONField(default=dict)),
                ("body_digest", models.TextField(default="")),
                ("run_id", models.UUIDField(null=True)),
                ("step", models.IntegerField(null=True)),
                ("request_id", models.TextField(default="")),
                ("address", models.TextField(default="")),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="AuditBody",
            fields=[
                ("entry_id", models.UUIDField(primary_key=True, serialize=False)),
                ("organisation_id", models.UUIDField(null=True)),
                ("salt", models.BinaryField(max_length=32)),
                ("body", models.JSONField()),
            ],
            options={
                "verbose_name_plural": "audit bodies",
            },
        ),
        migrations.CreateModel(
            name="AuditLeaf",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log", "index", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("log", models.UUIDField()),
                ("index", models.BigIntegerField()),
                ("entry_id", models.UUIDField(unique=True)),
                ("leaf_hash", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log", "size", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("log", models.UUIDField()),
                ("size", models.BigIntegerField()),
                ("root_hash", models.BinaryField(max_length=32)),
                ("note", models.TextField()),
                ("at", models.DateTimeField(db_default=foundation.audit.fields.ClockTimestamp())),
            ],
        ),
        migrations.CreateModel(
            name="LogTile",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log", "level", "index", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("log", models.UUIDField()),
                ("level", models.SmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hashes", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="SealPosition",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("epoch", models.BigIntegerField()),
                ("xid", foundation.audit.fields.TransactionIdField()),
                ("entry_id", models.UUIDField()),
            ],
        ),
        # Before the indexes: the partitioned twin takes none along.
        PartitionByTime("AuditEntry", owned=False),
        migrations.AddIndex("AuditEntry", models.Index(fields=["organisation_id", "id"], name="audit_organisation")),
        migrations.AddIndex("AuditEntry", models.Index(fields=["epoch", "xid", "id"], name="audit_order")),
        migrations.AddIndex(
            "AuditEntry",
            models.Index(condition=models.Q(("run_id__isnull", False)), fields=["run_id", "id"], name="audit_run"),
        ),
        migrations.AddIndex(
            "AuditEntry",
            models.Index(
                condition=models.Q(("target_id__isnull", False)), fields=["target_id", "id"], name="audit_target"
            ),
        ),
        IsolateRecord("AuditEntry", adds=True, given=("at", "xid", "epoch")),
        IsolateRecord("AuditBody", adds=True, system="SELECT, DELETE"),
        IsolateRecord("AuditLeaf", column="log", system="SELECT, INSERT"),
        IsolateRecord("Checkpoint", column="log", system="SELECT, INSERT"),
        IsolateRecord("LogTile", column="log", system="SELECT, INSERT, UPDATE"),
        migrations.RunSQL("GRANT SELECT, INSERT, UPDATE ON audit_sealposition TO remit_system", migrations.RunSQL.noop),
        AppendOnly("AuditEntry"),
        AppendOnly("AuditLeaf"),
        AppendOnly("Checkpoint"),
    ]
