from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Made beside the writes of a living system, and so outside a transaction.
    atomic = False
    dependencies = [("runs", "0004_stateful_runtime")]
    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(fields=["former"], name="run_later"),
        ),
        AddIndexConcurrently(
            model_name="session",
            index=models.Index(fields=["organisation", "-id"], name="session_newest"),
        ),
        AddIndexConcurrently(
            model_name="session",
            index=models.Index(fields=["target", "-id"], name="session_by_target"),
        ),
    ]
