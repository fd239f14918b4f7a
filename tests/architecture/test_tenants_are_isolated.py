"""Row-level security stands on every tenant's table, in the migrations and in the database itself."""

from contextlib import AbstractContextManager

from django.apps import apps
from django.db import connections
from django.db.migrations.loader import MigrationLoader

PACKAGES = ("config", "console", "foundation", "agents", "governance")
OPERATIONS = {"IsolateTenant", "IsolateRecord"}
OUTSIDE = {
    "identity.User": "a person has one account over all organisations; policies of its own show it to its colleagues",
    "identity.SignInLink": "used before anybody is known; only the system role may touch it",
    "identity.WebSession": "a browser of a person, over all organisations; a policy of its own shows it to nobody else",
    "runs.Heartbeat": "a process of ours, of no organisation; requests may only read it",
    "audit.SealPosition": "one row: how far the sealer has come in all logs",
}
OPEN_TABLES = {
    "django_migrations": "Django's own list of migrations: no tenant's data",
    "django_content_type": "Django's own list of models: no tenant's data",
    "auth_permission": "Django's own list of permissions: names only, no tenant's data",
    "auth_group": "Django's own groups, which nobody uses; no role but the owner may touch it",
    "auth_group_permissions": "the same",
    "guardian_userobjectpermission": "guardian's generic rows, which nobody uses; no role but the owner may touch it",
    "guardian_groupobjectpermission": "the same",
    "django_session": "found by its secret key before the organisation is known",
    "runs_heartbeat": OUTSIDE["runs.Heartbeat"],
    "audit_sealposition": OUTSIDE["audit.SealPosition"],
}
ROLES = ["remit_serving", "remit_engine", "remit_system", "remit_broker"]

_TABLES = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
    EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
_LOOSE = """
SELECT tablename, policyname, coalesce(qual, with_check) FROM pg_policies
WHERE schemaname = 'public' AND ('remit_serving' = ANY(roles) OR 'public' = ANY(roles))
    AND coalesce(qual, with_check) NOT LIKE '%%current_setting(''remit.organisation''%%'
    AND coalesce(qual, with_check) NOT LIKE '%%current_setting(''remit.user''%%'
"""
_REACHABLE_PARTITIONS = """
SELECT c.relname, r.rolname FROM pg_class c, pg_roles r
WHERE c.relispartition AND c.relkind = 'r' AND r.rolname = ANY(%s)
    AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
"""
_MIGHTY = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'remit%%' AND (rolsuper OR rolbypassrls)"
_OWNED = """
SELECT c.relname, r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND r.rolname <> 'remit_owner'
"""


def _models() -> dict[str, type]:
    return {model._meta.label: model for model in apps.get_models() if model.__module__.split(".")[0] in PACKAGES}


def _isolated() -> set[str]:
    """The models that some migration isolates, as `app.model` in small letters."""
    migrations = MigrationLoader(None).disk_migrations
    return {
        f"{app}.{operation.model}".lower()
        for (app, _), migration in migrations.items()
        for operation in migration.operations
        if type(operation).__name__ in OPERATIONS
    }


def _rows(statement: str, values: list[object] | None = None) -> list[tuple[object, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, values or [])
        return cursor.fetchall()


def test_every_model_is_isolated_by_a_migration():
    isolated = _isolated()
    bare = sorted(label for label in _models() if label.lower() not in isolated and label not in OUTSIDE)
    assert not bare, (
        f"No migration isolates {', '.join(bare)}: add IsolateTenant (foundation.tenancy.operations) to the app's "
        "migration, or list the model here with the reason why it belongs to no organisation."
    )


def test_exceptions_are_needed():
    known, isolated = _models(), _isolated()
    stale = sorted(label for label in OUTSIDE if label not in known or label.lower() in isolated)
    assert not stale, f"Take {', '.join(stale)} off the list: it is gone, or isolated by now."


def test_the_database_enforces_it(database: AbstractContextManager[None]):
    tables = {str(name): (secured, ruled) for name, secured, ruled in _rows(_TABLES)}
    open_ = sorted(name for name, marks in tables.items() if not all(marks) and name not in OPEN_TABLES)
    assert not open_, (
        f"{', '.join(open_)}: enable and force row-level security and add policies (IsolateTenant does all three), or "
        "list the table here with a reason."
    )
    stale = sorted(name for name in OPEN_TABLES if all(tables.get(name, (True, True))))
    assert not stale, f"Take {', '.join(stale)} off the list of open tables: it is gone, or secured by now."


def test_no_policy_opens_a_table_to_requests(database: AbstractContextManager[None]):
    loose = [f"{policy} on {table} ({rule})" for table, policy, rule in _rows(_LOOSE)]
    assert not loose, f"{'; '.join(loose)}: a policy for the serving role must compare with the request's organisation."


def test_partitions_are_reached_through_their_table_alone(database: AbstractContextManager[None]):
    """A partition has no policies of its own, so no role may be granted anything on it."""
    reachable = [f"{table} by {role}" for table, role in _rows(_REACHABLE_PARTITIONS, [ROLES])]
    assert not reachable, f"Revoke what was granted on partitions: {', '.join(reachable)}."


def test_no_role_stands_above_the_rules(database: AbstractContextManager[None]):
    mighty = [str(name) for (name,) in _rows(_MIGHTY)]
    assert not mighty, f"{', '.join(mighty)} must be neither superuser nor BYPASSRLS: take the attribute away."
    owned = [f"{table} of {role}" for table, role in _rows(_OWNED)]
    assert not owned, f"Give to remit_owner what an application's role owns: {', '.join(owned)}."
