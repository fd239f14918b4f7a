from django.db import migrations

# A call comes from nobody: this is all that is told before its signature is checked, and only to the server itself.
DOOR = """
CREATE FUNCTION remit_callback_organisation(wanted uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ SELECT organisation_id FROM runs_callback WHERE id = wanted $$;
GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_callback_organisation(uuid) OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
REVOKE ALL ON FUNCTION remit_callback_organisation(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remit_callback_organisation(uuid) TO remit_serving;
"""

REVERSE = "DROP FUNCTION remit_callback_organisation(uuid);"


class Migration(migrations.Migration):
    dependencies = [("runs", "0006_turns")]
    operations = [migrations.RunSQL(DOOR, REVERSE)]
