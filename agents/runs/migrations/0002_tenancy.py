from django.db import migrations

from foundation.tenancy.operations import APPEND, CHANGE, IsolateTenant, PartitionByTime


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial"), ("registry", "0002_tenancy")]
    operations = [
        PartitionByTime("step", column="run_id", key=("run_id", "number")),
        PartitionByTime("event", column="run_id", key=("run_id", "number")),
        IsolateTenant("session", engine=CHANGE, serving=CHANGE),
        IsolateTenant("run", engine=CHANGE, serving=CHANGE),
        IsolateTenant("step", engine=CHANGE, serving=CHANGE),
        IsolateTenant("event", engine=APPEND, serving=APPEND),
        migrations.RunSQL(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON runs_heartbeat TO remit_engine, remit_system; GRANT SELECT ON runs_heartbeat TO remit_serving",
            migrations.RunSQL.noop,
        ),
    ]
