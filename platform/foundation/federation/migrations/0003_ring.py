from django.db import migrations

# Open event streams look again when an identity provider is switched off, changed or removed: its sessions may be over.
RING = """
CREATE TRIGGER federation_identityprovider_ring_update AFTER UPDATE ON federation_identityprovider
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_ring_changed();
CREATE TRIGGER federation_identityprovider_ring_delete AFTER DELETE ON federation_identityprovider
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_ring_changed();
CREATE TRIGGER federation_identityprovider_ring_insert AFTER INSERT ON federation_identityprovider
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_ring_changed();
"""
SILENT = """
DROP TRIGGER federation_identityprovider_ring_insert ON federation_identityprovider;
DROP TRIGGER federation_identityprovider_ring_delete ON federation_identityprovider;
DROP TRIGGER federation_identityprovider_ring_update ON federation_identityprovider;
"""


class Migration(migrations.Migration):
    dependencies = [("federation", "0002_sessions_from"), ("identity", "0009_ring")]

    operations = [migrations.RunSQL(RING, SILENT)]
