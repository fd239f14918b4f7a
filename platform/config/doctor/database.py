"""Checks of the database: who connects, what they may, what stands between the tenants."""

import time
from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.db.migrations.loader import MigrationLoader

from config.doctor.finding import Finding
from config.tasks import PARTITIONED

OLDEST_POSTGRES = 150_000  # server_version_num
MOST_SKEW = 2.0  # seconds
ALIASES = {
    "default": "DATABASE_URL",
    "engine": "DATABASE_ENGINE_URL",
    "system": "DATABASE_SYSTEM_URL",
    "owner": "DATABASE_OWNER_URL",
}

_ROLE = """
    SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
        (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid AND c.relnamespace = 'public'::regnamespace),
        (SELECT coalesce(string_agg(g.rolname, ', '), '') FROM pg_roles g
         WHERE g.oid <> r.oid AND g.rolname LIKE 'remit%%' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
    FROM pg_roles r WHERE rolname = current_user
"""
# A table of tenants has a column that names the organisation; the others are those of sign-in.
_OPEN_TABLES = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND (c.relname IN ('organisations_organisation', 'identity_user', 'identity_signinlink', 'identity_attempt')
           OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                      AND a.attname IN ('organisation_id', 'log')))
      AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    ORDER BY 1
"""
# Row-level security of the parent does not protect a partition that is reached by its own name.
_OPEN_PARTITIONS = """
    SELECT c.relname FROM pg_class c, unnest(ARRAY['remit_serving', 'remit_engine', 'remit_system']) AS role
    WHERE c.relnamespace = 'public'::regnamespace AND c.relispartition AND c.relkind = 'r'
      AND to_regrole(role) IS NOT NULL AND has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
    ORDER BY 1
"""
_CHANGEABLE = """
    SELECT relname FROM pg_class c WHERE relname = ANY(%s) AND relnamespace = 'public'::regnamespace
      AND (has_table_privilege(current_user, c.oid, 'UPDATE, DELETE, TRUNCATE')
           OR NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled <> 'D'
                          AND t.tgname = c.relname || '_no_change'))
"""
_APPEND_ONLY = ["audit_auditentry", "policies_policydecision", "budgets_ledgerentry"]
_MISSING_PARTITIONS = """
    SELECT part FROM unnest(%s::text[]) AS parent, generate_series(0, 1) AS ahead,
        LATERAL (SELECT parent || '_' || to_char((now() AT TIME ZONE 'UTC') + make_interval(months => ahead), 'YYYYMM'))
        AS named (part)
    WHERE to_regclass(quote_ident(part)) IS NULL
"""


def postgres() -> Iterator[Finding]:
    """The server's version."""
    number, version = _rows("default", "SELECT current_setting('server_version_num')::int, version()")[0]
    to_do = "" if number >= OLDEST_POSTGRES else "Remit needs PostgreSQL 15 or later: upgrade the server."
    yield Finding("postgres", str(version).partition(" on ")[0], to_do)


def roles() -> Iterator[Finding]:
    """Who connects through each address: nobody may pass row-level security, only the owner owns."""
    names = {}
    for alias, variable in ALIASES.items():
        name, superuser, bypasses, makes_roles, makes_databases, owned, member_of = _rows(alias, _ROLE)[0]
        names[alias] = name
        powers = [
            word
            for word, has in (
                ("is a superuser", superuser),
                ("passes row-level security", bypasses),
                ("makes roles", makes_roles and alias != "owner"),
                ("makes databases", makes_databases),
                (f"owns {owned} tables or indexes", owned and alias != "owner"),
                (f"is a member of {member_of}", member_of and alias != "owner"),
            )
            if has
        ]
        to_do = f"give {variable} a role that does not (docs/operating.md)" if powers else ""
        yield Finding(f"role of {variable}", f"{name} {' and '.join(powers)}".strip(), to_do)
    if len(set(names.values())) < len(names):
        yield Finding(
            "four roles", "two addresses use the same role", "give each address its own role (docs/operating.md)"
        )


def row_level_security() -> Iterator[Finding]:
    """Enabled and forced wherever there are tenants' rows."""
    unprotected = [row[0] for row in _rows("default", _OPEN_TABLES)]
    reachable = [row[0] for row in _rows("default", _OPEN_PARTITIONS)]
    yield _listed("row-level security", unprotected, "is enabled and forced on every table of tenants",
                  "run `manage.py migrate --database owner`, and find out who switched it off")  # fmt: skip
    yield _listed("partitions", reachable, "are reached through their tables only",
                  "revoke the privileges on them from the application's roles")  # fmt: skip


def append_only() -> Iterator[Finding]:
    """The record refuses change, by privileges and by triggers."""
    changeable = [row[0] for row in _rows("default", _CHANGEABLE, [_APPEND_ONLY])]
    yield _listed("append-only tables", changeable, "refuse change",
                  "revoke UPDATE, DELETE and TRUNCATE, and enable their triggers again")  # fmt: skip


def migrations() -> Iterator[Finding]:
    """All migrations of this version are in the database."""
    loader = MigrationLoader(connections["owner"])
    # Each by itself: a plan would stop looking at the latest that is applied.
    pending = [".".join(one) for one in sorted(loader.disk_migrations) if one not in loader.applied_migrations]
    yield _listed("migrations", pending, "are all applied", "run `manage.py migrate --database owner`")


def partitions() -> Iterator[Finding]:
    """Partitions of this month and the next are there."""
    missing = [row[0] for row in _rows("default", _MISSING_PARTITIONS, [list(PARTITIONED)])]
    yield _listed("months to come", missing, "have their partitions",
                  "see that worker and scheduler run: they make them every six hours")  # fmt: skip


def clock() -> Iterator[Finding]:
    """The application's clock and the database's, which decides, agree."""
    before = time.time()
    told = float(_rows("default", "SELECT extract(epoch FROM clock_timestamp())::float8")[0][0])
    after = time.time()
    skew = max(before - told, told - after, 0.0)
    to_do = "" if skew <= MOST_SKEW else "keep both machines' clocks with NTP"
    yield Finding("clock", f"differs from the database's by {skew:.1f} s", to_do)


def _listed(name: str, wrong: list[str], well: str, to_do: str) -> Finding:
    if not wrong:
        return Finding(name, well)
    more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""  # noqa: PLR2004 - enough for a line
    return Finding(name, f"not so: {', '.join(wrong[:5])}{more}", to_do)


def _rows(alias: str, question: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(question, values or [])
        return list(cursor.fetchall())
