from django.db import migrations

# Beside remit_memberships_of_user, which processes of the former release go on to ask: it answers one column more, and
# sessions count from when the address was proved, too.
SEATS = """
CREATE FUNCTION remit_seats_of_user(wanted uuid)
    RETURNS TABLE (organisation_id uuid, organisation_slug varchar, organisation_name varchar,
                   principal_id uuid, principal_name varchar, principal_state varchar, single_sign_on boolean,
                   federated boolean, sessions_from timestamptz, own_ways boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ SELECT o.id, o.slug, o.name, p.id, p.name, p.state, EXISTS (
           SELECT FROM federation_identityprovider f WHERE f.organisation_id = o.id AND f.is_active AND f.required
           AND lower(split_part(u.email, '@', 2)) = ANY (f.domains)),
           EXISTS (SELECT FROM federation_identityprovider f WHERE f.organisation_id = o.id AND f.is_active),
           greatest(m.sessions_from, u.sessions_from), u.proved OR m.accepted
       FROM identity_membership m JOIN identity_principal p ON p.id = m.principal_id
       JOIN identity_user u ON u.id = m.user_id JOIN organisations_organisation o ON o.id = m.organisation_id
       WHERE m.user_id = wanted ORDER BY o.name $$;
GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_seats_of_user(uuid) OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
REVOKE ALL ON FUNCTION remit_seats_of_user(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remit_seats_of_user(uuid) TO remit_serving;
"""
REVERSE = "DROP FUNCTION remit_seats_of_user(uuid);"


class Migration(migrations.Migration):
    dependencies = [("federation", "0004_who_configured"), ("identity", "0012_proved")]

    operations = [migrations.RunSQL(SEATS, REVERSE)]
