"""A release that changes a built-in role, or adds a permission, tells the database: by a migration with KnowRoles."""

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from foundation.access import operations
from foundation.access.operations import KnowRoles, state_of_roles
from foundation.access.roles import ROLES, Permission


def _told() -> str:
    """What the newest migration has told the database."""
    known = MigrationLoader(connection).disk_migrations or {}
    own = [known[key] for key in sorted(known) if key[0] == "access"]
    return [one.state for migration in own for one in migration.operations if isinstance(one, KnowRoles)][-1]


def test_the_newest_migration_knows_the_roles_of_the_code(database: Any) -> None:
    hint = f'Add a migration to foundation.access with KnowRoles("{state_of_roles()}").'
    assert _told() == state_of_roles(), hint


@pytest.mark.parametrize("change", [{"viewer": frozenset()}, {"guest": frozenset({Permission.RUN_VIEW})}])
def test_it_is_another_state_when_a_role_changes(
    monkeypatch: pytest.MonkeyPatch, database: Any, change: dict[str, frozenset[Permission]]
) -> None:
    monkeypatch.setattr(operations, "ROLES", ROLES | change)
    assert _told() != state_of_roles()
