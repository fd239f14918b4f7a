import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import foundation.ids
import foundation.tenancy.models
from foundation.access.operations import KnowRoles
from foundation.tenancy.operations import READ, IsolateTenant

# Who holds what is worked out by pairs (person or service, target): all that its grants on this target come to. Two
# transactions that change the same organisation's grants wait for each other, so that neither overlooks the other's.
FUNCTIONS = """
GRANT SELECT ON auth_permission TO remit_serving, remit_engine, remit_system;

CREATE FUNCTION remit_role_permissions(role text) RETURNS text[] LANGUAGE sql IMMUTABLE AS
    $$ SELECT ARRAY[]::text[] $$;

CREATE FUNCTION remit_permission_id(wanted text) RETURNS int LANGUAGE sql STABLE AS
    $$ SELECT p.id FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
       WHERE t.app_label = 'organisations' AND t.model = 'granttarget' AND p.codename = wanted $$;

CREATE FUNCTION remit_hold(holders uuid[], targets uuid[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF holders IS NULL THEN RETURN; END IF;
    PERFORM FROM organisations_organisation o WHERE o.id IN (
        SELECT t.organisation_id FROM organisations_granttarget t WHERE t.id = ANY(targets)
    ) ORDER BY o.id FOR NO KEY UPDATE;
    -- A statement of its own: it sees what those have committed that it has waited for.
    WITH pair AS (
        SELECT DISTINCT x.principal, x.target FROM unnest(holders, targets) AS x(principal, target)
    ), giver AS (
        SELECT pair.principal, pair.target, pair.principal AS holder FROM pair
        UNION ALL
        SELECT pair.principal, pair.target, m.group_id FROM pair
            JOIN identity_groupmember m ON m.member_id = pair.principal
            JOIN identity_principal g ON g.id = m.group_id AND g.state = 'active'
    ), wanted AS (
        SELECT g.organisation_id, giver.principal, giver.target, permission.id AS permission,
            CASE WHEN bool_or(g.expires_at IS NULL) THEN NULL ELSE max(g.expires_at) END AS expires_at
        FROM giver JOIN access_grant g ON g.principal_id = giver.holder AND g.target_id = giver.target
            LEFT JOIN access_role r ON r.id = g.custom_role_id
            CROSS JOIN LATERAL unnest(coalesce(r.permissions::text[], remit_role_permissions(g.role))) AS c(codename)
            JOIN auth_permission permission ON permission.codename = c.codename
            JOIN django_content_type t ON t.id = permission.content_type_id
                AND t.app_label = 'organisations' AND t.model = 'granttarget'
        GROUP BY 1, 2, 3, 4
    ), gone AS (
        DELETE FROM access_holding h USING pair
        WHERE h.principal_id = pair.principal AND h.content_object_id = pair.target
            AND NOT EXISTS (SELECT FROM wanted w WHERE w.principal = h.principal_id
                            AND w.target = h.content_object_id AND w.permission = h.permission_id)
    )
    INSERT INTO access_holding (id, organisation_id, principal_id, user_id, permission_id, content_object_id, expires_at)
    SELECT gen_random_uuid(), w.organisation_id, w.principal, m.user_id, w.permission, w.target, w.expires_at
    FROM wanted w LEFT JOIN identity_membership m ON m.principal_id = w.principal
    ON CONFLICT (principal_id, permission_id, content_object_id) DO UPDATE SET expires_at = EXCLUDED.expires_at
        WHERE access_holding.expires_at IS DISTINCT FROM EXCLUDED.expires_at;
END
$$;

CREATE FUNCTION remit_hold_all() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT remit_hold(array_agg(x.holder), array_agg(x.target)) FROM (
        SELECT g.principal_id AS holder, g.target_id AS target FROM access_grant g
            JOIN identity_principal p ON p.id = g.principal_id WHERE p.kind <> 'group'
        UNION
        SELECT m.member_id, g.target_id FROM access_grant g JOIN identity_groupmember m ON m.group_id = g.principal_id
    ) x
$$;

-- One for each kind of change: which pairs does it touch?
CREATE FUNCTION remit_grants_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM remit_hold(array_agg(x.holder), array_agg(x.target)) FROM (
        SELECT c.principal_id AS holder, c.target_id AS target FROM changed c
            JOIN identity_principal p ON p.id = c.principal_id WHERE p.kind <> 'group'
        UNION
        SELECT m.member_id, c.target_id FROM changed c JOIN identity_groupmember m ON m.group_id = c.principal_id
    ) x;
    RETURN NULL;
END
$$;

CREATE FUNCTION remit_members_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM remit_hold(array_agg(c.member_id), array_agg(g.target_id))
        FROM changed c JOIN access_grant g ON g.principal_id = c.group_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION remit_roles_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM remit_hold(array_agg(x.holder), array_agg(x.target)) FROM (
        SELECT g.principal_id AS holder, g.target_id AS target FROM access_grant g
            JOIN changed c ON c.id = g.custom_role_id JOIN identity_principal p ON p.id = g.principal_id
            WHERE p.kind <> 'group'
        UNION
        SELECT m.member_id, g.target_id FROM access_grant g JOIN changed c ON c.id = g.custom_role_id
            JOIN identity_groupmember m ON m.group_id = g.principal_id
    ) x;
    RETURN NULL;
END
$$;

CREATE FUNCTION remit_group_state_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM remit_hold(array_agg(m.member_id), array_agg(g.target_id))
        FROM identity_groupmember m JOIN access_grant g ON g.principal_id = m.group_id WHERE m.group_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE FUNCTION remit_membership_made() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE access_holding SET user_id = NEW.user_id WHERE principal_id = NEW.principal_id;
    RETURN NULL;
END
$$;

-- The questions. They run with the rights of whoever asks, and so under row-level security.
CREATE FUNCTION remit_reach(holder uuid, wanted text, organisation uuid,
                            OUT permission int, OUT somewhere boolean, OUT everywhere boolean)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    permission := coalesce(remit_permission_id(wanted), 0);
    everywhere := EXISTS (SELECT FROM access_holding h
        WHERE h.principal_id = holder AND h.permission_id = permission AND h.content_object_id = organisation
            AND (h.expires_at IS NULL OR h.expires_at > now()));
    somewhere := everywhere OR EXISTS (SELECT FROM access_holding h
        WHERE h.principal_id = holder AND h.permission_id = permission
            AND (h.expires_at IS NULL OR h.expires_at > now()));
END
$$;

-- The teams that somebody reaches, all below them included, and whether any agent by itself.
CREATE FUNCTION remit_reach_nodes(holder uuid, wanted text, organisation uuid, OUT permission int,
                                  OUT somewhere boolean, OUT everywhere boolean, OUT teams uuid[], OUT agents boolean)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT r.permission, r.somewhere, r.everywhere INTO permission, somewhere, everywhere
        FROM remit_reach(holder, wanted, organisation) r;
    IF everywhere OR NOT somewhere THEN RETURN; END IF;
    teams := ARRAY(SELECT t.id FROM organisations_granttarget t
        WHERE t.kind = 'team' AND t.organisation_id = organisation AND EXISTS (
            SELECT FROM access_holding h WHERE h.principal_id = holder AND h.permission_id = permission
                AND h.content_object_id = ANY(t.lineage) AND (h.expires_at IS NULL OR h.expires_at > now())));
    -- Node by node, until one is an agent.
    agents := EXISTS (SELECT FROM access_holding h WHERE h.principal_id = holder AND h.permission_id = permission
        AND (h.expires_at IS NULL OR h.expires_at > now())
        AND (SELECT t.kind FROM organisations_granttarget t WHERE t.id = h.content_object_id) = 'agent');
END
$$;

CREATE FUNCTION remit_held(holder uuid, target uuid) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT p.codename) FROM access_holding h JOIN auth_permission p ON p.id = h.permission_id
        WHERE h.principal_id = holder AND (h.expires_at IS NULL OR h.expires_at > now())
            AND h.content_object_id = ANY((SELECT t.lineage FROM organisations_granttarget t WHERE t.id = target)::uuid[]));
END
$$;

GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_hold(uuid[], uuid[]) OWNER TO remit_system;
ALTER FUNCTION remit_hold_all() OWNER TO remit_system;
ALTER FUNCTION remit_grants_changed() OWNER TO remit_system;
ALTER FUNCTION remit_members_changed() OWNER TO remit_system;
ALTER FUNCTION remit_roles_changed() OWNER TO remit_system;
ALTER FUNCTION remit_group_state_changed() OWNER TO remit_system;
ALTER FUNCTION remit_membership_made() OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
REVOKE ALL ON FUNCTION remit_hold(uuid[], uuid[]), remit_hold_all() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remit_hold_all() TO remit_owner;

-- The teams of an organisation, among agents that may be many.
CREATE INDEX organisations_granttarget_teams ON organisations_granttarget (organisation_id) WHERE kind = 'team';

-- What is over is gone, even for whoever asks guardian.
CREATE POLICY access_holding_live ON access_holding AS RESTRICTIVE FOR SELECT TO remit_serving USING (
    organisation_id = nullif(current_setting('remit.organisation', true), '')::uuid
    AND (expires_at IS NULL OR expires_at > now()));

CREATE TRIGGER access_grant_held_insert AFTER INSERT ON access_grant
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_grants_changed();
CREATE TRIGGER access_grant_held_update AFTER UPDATE ON access_grant
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_grants_changed();
CREATE TRIGGER access_grant_held_delete AFTER DELETE ON access_grant
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_grants_changed();
CREATE TRIGGER identity_groupmember_held_insert AFTER INSERT ON identity_groupmember
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_members_changed();
CREATE TRIGGER identity_groupmember_held_delete AFTER DELETE ON identity_groupmember
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_members_changed();
CREATE TRIGGER access_role_held AFTER UPDATE ON access_role
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_roles_changed();
CREATE TRIGGER identity_principal_held AFTER UPDATE OF state ON identity_principal FOR EACH ROW
    WHEN (NEW.kind = 'group' AND OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION remit_group_state_changed();
CREATE TRIGGER identity_membership_held AFTER INSERT ON identity_membership
    FOR EACH ROW EXECUTE FUNCTION remit_membership_made();
"""

REVERSE = """
DROP INDEX organisations_granttarget_teams;
DROP TRIGGER access_grant_held_insert ON access_grant;
DROP TRIGGER access_grant_held_update ON access_grant;
DROP TRIGGER access_grant_held_delete ON access_grant;
DROP TRIGGER identity_groupmember_held_insert ON identity_groupmember;
DROP TRIGGER identity_groupmember_held_delete ON identity_groupmember;
DROP TRIGGER access_role_held ON access_role;
DROP TRIGGER identity_principal_held ON identity_principal;
DROP TRIGGER identity_membership_held ON identity_membership;
DROP FUNCTION remit_grants_changed(), remit_members_changed(), remit_roles_changed(), remit_group_state_changed(),
    remit_membership_made(), remit_hold_all(), remit_hold(uuid[], uuid[]), remit_reach(uuid, text, uuid),
    remit_reach_nodes(uuid, text, uuid),
    remit_held(uuid, uuid), remit_permission_id(text), remit_role_permissions(text);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0003_who_may"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("guardian", "0001_initial"),
        ("identity", "0005_who_may"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Holding",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "content_object",
                    foundation.tenancy.models.TenantForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holdings",
                        to="organisations.granttarget",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="organisations.organisation"
                    ),
                ),
                (
                    "permission",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holdings",
                        to="auth.permission",
                    ),
                ),
                (
                    "principal",
                    foundation.tenancy.models.TenantForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holdings",
                        to="identity.principal",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["principal", "content_object"], name="holding_checked"),
                    models.Index(fields=["content_object", "permission"], name="holding_on_target"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("principal", "permission", "content_object"), name="holding_once"),
                    models.UniqueConstraint(fields=("user", "permission", "content_object"), name="holding_of_user"),
                ],
            },
        ),
        IsolateTenant("holding", serving=READ),
        migrations.RunSQL(FUNCTIONS, REVERSE),
        KnowRoles("sha256:3a41222cee4e6b3c005047df429d05a67d84a665ca51cbb0f09cf05e25c7dcff"),
    ]
