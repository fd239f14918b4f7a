from django.db import migrations

# Where each run stands in the lists of whoever reaches its agent or its agent's team: two narrow rows, written once.
# A column of the run would cost an entry in its index with each of its many changes.
PLACES = """
CREATE TABLE runs_place (
    organisation_id uuid NOT NULL, node_id uuid NOT NULL, run_id uuid NOT NULL, PRIMARY KEY (node_id, run_id));
ALTER TABLE runs_place ENABLE ROW LEVEL SECURITY;
ALTER TABLE runs_place FORCE ROW LEVEL SECURITY;
GRANT SELECT ON runs_place TO remit_serving, remit_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON runs_place TO remit_system;
CREATE POLICY runs_place_remit_serving ON runs_place TO remit_serving
    USING (organisation_id = nullif(current_setting('remit.organisation', true), '')::uuid);
CREATE POLICY runs_place_remit_engine ON runs_place TO remit_engine USING (true);
CREATE POLICY runs_place_remit_system ON runs_place TO remit_system USING (true) WITH CHECK (true);

CREATE FUNCTION remit_run_placed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO runs_place (organisation_id, node_id, run_id)
        SELECT r.organisation_id, n.id, r.id FROM changed r JOIN registry_agent a ON a.id = r.agent_id
            CROSS JOIN LATERAL (VALUES (a.target_id), (a.team_id)) AS n(id);
    RETURN NULL;
END
$$;
CREATE FUNCTION remit_agent_moved() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE runs_place p SET node_id = NEW.team_id FROM runs_run r
        WHERE r.agent_id = NEW.id AND p.run_id = r.id AND p.node_id = OLD.team_id;
    RETURN NULL;
END
$$;
GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_run_placed() OWNER TO remit_system;
ALTER FUNCTION remit_agent_moved() OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
CREATE TRIGGER runs_run_placed AFTER INSERT ON runs_run
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_run_placed();
CREATE TRIGGER registry_agent_moved AFTER UPDATE OF team_id ON registry_agent FOR EACH ROW
    WHEN (OLD.team_id IS DISTINCT FROM NEW.team_id) EXECUTE FUNCTION remit_agent_moved();
INSERT INTO runs_place (organisation_id, node_id, run_id)
    SELECT r.organisation_id, n.id, r.id FROM runs_run r JOIN registry_agent a ON a.id = r.agent_id
        CROSS JOIN LATERAL (VALUES (a.target_id), (a.team_id)) AS n(id);
"""
NO_PLACES = """
DROP TRIGGER registry_agent_moved ON registry_agent;
DROP TRIGGER runs_run_placed ON runs_run;
DROP FUNCTION remit_agent_moved();
DROP FUNCTION remit_run_placed();
DROP TABLE runs_place;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_by_team"), ("runs", "0011_who_may")]
    operations = [migrations.RunSQL(PLACES, NO_PLACES)]
