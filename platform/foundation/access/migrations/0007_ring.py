from django.db import migrations

# Open event streams look again when somebody holds less than before, or for a shorter time: a grant was withdrawn, a
# seat in a group taken away, a role made narrower; or when a team has moved. By statement, as these change in bulk.
RING = """
CREATE FUNCTION remit_ring_moved() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('remit_access', x.organisation_id::text) FROM (
        SELECT DISTINCT changed.organisation_id FROM changed JOIN former ON former.id = changed.id
        WHERE former.lineage IS DISTINCT FROM changed.lineage
    ) x;
    RETURN NULL;
END $$;
CREATE TRIGGER access_holding_ring_delete AFTER DELETE ON access_holding
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_ring_changed();
CREATE TRIGGER access_holding_ring_update AFTER UPDATE ON access_holding
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_ring_changed();
CREATE TRIGGER organisations_granttarget_ring AFTER UPDATE ON organisations_granttarget
    REFERENCING OLD TABLE AS former NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_ring_moved();
"""
SILENT = """
DROP TRIGGER organisations_granttarget_ring ON organisations_granttarget;
DROP TRIGGER access_holding_ring_update ON access_holding;
DROP TRIGGER access_holding_ring_delete ON access_holding;
DROP FUNCTION remit_ring_moved();
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0006_reach_by_teams_held"), ("identity", "0009_ring")]

    operations = [migrations.RunSQL(RING, SILENT)]
