from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Made beside the writes of a living system, and so outside a transaction.
    atomic = False
    dependencies = [("runs", "0013_notified_once")]
    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["crashes"],
                name="run_crashed",
                condition=models.Q(("crashes__gt", 0), ("state__in", ["queued", "running", "waiting"])),
            ),
        ),
    ]
