from django.db import migrations

# Whoever keeps a connection open looks again when a browser is signed out, a password changes, or a person is stopped
# everywhere. One notice for each organisation of these people, however many rows a statement takes.
FUNCTIONS = """
CREATE FUNCTION remit_ring_sessions() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('remit_access', x.organisation_id::text) FROM (
        SELECT DISTINCT m.organisation_id FROM gone JOIN identity_membership m ON m.user_id = gone.user_id
    ) x;
    RETURN NULL;
END $$;
CREATE FUNCTION remit_ring_user() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('remit_access', m.organisation_id::text) FROM identity_membership m WHERE m.user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE FUNCTION remit_ring_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_notify('remit_access', x.organisation_id::text) FROM (SELECT DISTINCT organisation_id FROM changed) x;
    RETURN NULL;
END $$;
GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_ring_sessions() OWNER TO remit_system;
ALTER FUNCTION remit_ring_user() OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
"""
TRIGGERS = """
CREATE TRIGGER identity_websession_ring AFTER DELETE ON identity_websession
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION remit_ring_sessions();
CREATE TRIGGER identity_user_ring AFTER UPDATE OF password, is_active ON identity_user FOR EACH ROW
    WHEN (OLD.password IS DISTINCT FROM NEW.password OR OLD.is_active IS DISTINCT FROM NEW.is_active)
    EXECUTE FUNCTION remit_ring_user();
"""
SILENT = """
DROP TRIGGER identity_websession_ring ON identity_websession;
DROP TRIGGER identity_user_ring ON identity_user;
DROP FUNCTION remit_ring_sessions(), remit_ring_user(), remit_ring_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("identity", "0008_made_by")]

    operations = [migrations.RunSQL(FUNCTIONS + TRIGGERS, SILENT)]
