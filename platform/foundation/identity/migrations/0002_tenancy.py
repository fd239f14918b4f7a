from django.db import migrations

from foundation.tenancy.operations import IsolateTenant

SIGN_IN = """
GRANT SELECT, INSERT, UPDATE, DELETE ON django_session TO remit_serving, remit_system;
GRANT SELECT ON django_content_type TO remit_serving, remit_engine, remit_system;
GRANT SELECT ON django_migrations TO remit_serving, remit_engine, remit_system;

-- People stand outside the organisations: whoever serves a request sees itself, and those it shares an organisation with.
ALTER TABLE identity_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity_user FORCE ROW LEVEL SECURITY;
GRANT SELECT, UPDATE ON identity_user TO remit_serving;
GRANT SELECT ON identity_user TO remit_engine;
GRANT SELECT, INSERT, UPDATE ON identity_user TO remit_system;
CREATE POLICY identity_user_seen ON identity_user FOR SELECT TO remit_serving USING (
    id = nullif(current_setting('remit.user', true), '')::uuid
    OR EXISTS (SELECT FROM identity_membership m WHERE m.user_id = identity_user.id));
CREATE POLICY identity_user_own ON identity_user FOR UPDATE TO remit_serving
    USING (id = nullif(current_setting('remit.user', true), '')::uuid);
CREATE POLICY identity_user_engine ON identity_user TO remit_engine USING (true);
CREATE POLICY identity_user_system ON identity_user TO remit_system USING (true) WITH CHECK (true);

ALTER TABLE identity_signinlink ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity_signinlink FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON identity_signinlink TO remit_system;
CREATE POLICY identity_signinlink_system ON identity_signinlink TO remit_system USING (true) WITH CHECK (true);

-- The narrow doors of sign-in: each answers one question that is asked before the organisation is known.
CREATE FUNCTION remit_user_by_email(wanted text) RETURNS SETOF identity_user
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ SELECT * FROM identity_user WHERE lower(email) = lower(wanted) $$;
CREATE FUNCTION remit_user_by_id(wanted uuid) RETURNS SETOF identity_user
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ SELECT * FROM identity_user WHERE id = wanted $$;
CREATE FUNCTION remit_memberships_of(wanted uuid)
    RETURNS TABLE (organisation_id uuid, organisation_slug varchar, organisation_name varchar,
                   principal_id uuid, principal_name varchar, principal_state varchar)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ SELECT o.id, o.slug, o.name, p.id, p.name, p.state
       FROM identity_membership m JOIN identity_principal p ON p.id = m.principal_id
       JOIN organisations_organisation o ON o.id = m.organisation_id
       WHERE m.user_id = wanted ORDER BY o.name $$;
CREATE FUNCTION remit_api_key(wanted text)
    RETURNS TABLE (id uuid, organisation_id uuid, digest varchar, scopes jsonb, expired boolean, revoked boolean,
                   principal_id uuid, principal_kind varchar, principal_name varchar, principal_state varchar)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ SELECT k.id, k.organisation_id, k.digest, k.scopes, coalesce(k.expires_at <= now(), false),
              k.revoked_at IS NOT NULL, p.id, p.kind, p.name, p.state
       FROM identity_apikey k JOIN identity_principal p ON p.id = k.principal_id WHERE k.prefix = wanted $$;
CREATE FUNCTION remit_use_sign_in_link(wanted text) RETURNS uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ UPDATE identity_signinlink SET used_at = now()
       WHERE digest = wanted AND used_at IS NULL AND expires_at > now() RETURNING user_id $$;
CREATE FUNCTION remit_invite_user(wanted text, called text, made uuid) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE found uuid;
    BEGIN
        SELECT id INTO found FROM identity_user WHERE lower(email) = lower(wanted);
        IF found IS NULL THEN
            INSERT INTO identity_user (id, email, name, password, is_active)
            VALUES (made, lower(wanted), called, '!', true) RETURNING id INTO found;
        END IF;
        RETURN found;
    END $$;
-- ALTER FUNCTION … OWNER needs the owner to be a member of remit_system: the roles are made so (docs/operating.md).
GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_user_by_email(text) OWNER TO remit_system;
ALTER FUNCTION remit_user_by_id(uuid) OWNER TO remit_system;
ALTER FUNCTION remit_memberships_of(uuid) OWNER TO remit_system;
ALTER FUNCTION remit_api_key(text) OWNER TO remit_system;
ALTER FUNCTION remit_use_sign_in_link(text) OWNER TO remit_system;
ALTER FUNCTION remit_invite_user(text, text, uuid) OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
REVOKE ALL ON FUNCTION remit_user_by_email(text), remit_user_by_id(uuid), remit_memberships_of(uuid),
    remit_api_key(text), remit_use_sign_in_link(text), remit_invite_user(text, text, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remit_user_by_email(text), remit_user_by_id(uuid), remit_memberships_of(uuid),
    remit_api_key(text), remit_use_sign_in_link(text), remit_invite_user(text, text, uuid) TO remit_serving;
"""

REVERSE = """
DROP FUNCTION remit_user_by_email(text), remit_user_by_id(uuid), remit_memberships_of(uuid),
    remit_api_key(text), remit_use_sign_in_link(text), remit_invite_user(text, text, uuid);
DROP POLICY identity_user_seen ON identity_user;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0001_initial"),
        ("organisations", "0002_tenancy"),
        ("sessions", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        IsolateTenant("principal"),
        IsolateTenant("membership"),
        IsolateTenant("apikey"),
        migrations.RunSQL(SIGN_IN, REVERSE),
    ]
