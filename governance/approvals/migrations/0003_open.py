from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Made beside the writes of a living system, and so outside a transaction.
    atomic = False
    dependencies = [("approvals", "0002_tenancy")]
    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                fields=["expires_at"],
                name="approval_open",
                condition=models.Q(("state__in", ["waiting", "approved"])),
            ),
        ),
    ]
