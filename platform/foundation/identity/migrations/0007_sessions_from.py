from django.db import migrations, models

# Open event streams look again at once.
RING = """
CREATE TRIGGER identity_membership_ring AFTER UPDATE OF sessions_from ON identity_membership FOR EACH ROW
    WHEN (OLD.sessions_from IS DISTINCT FROM NEW.sessions_from) EXECUTE FUNCTION remit_ring_access();
"""
SILENT = "DROP TRIGGER identity_membership_ring ON identity_membership;"


class Migration(migrations.Migration):
    dependencies = [("identity", "0006_sign_in")]

    operations = [
        migrations.AddField(
            model_name="membership", name="sessions_from", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.RunSQL(RING, SILENT),
    ]
