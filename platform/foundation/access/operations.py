"""Migration operation: the built-in roles as the database knows them."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from foundation.access.roles import ROLES, Permission
from foundation.digests import digest_of


def _literal(words: Sequence[str]) -> str:
    return "ARRAY[" + ", ".join(f"'{word}'" for word in words) + "]::text[]"


def state_of_roles() -> str:
    """The digest of all permissions and of what each built-in role holds."""
    held = {role: sorted(one.value for one in permissions) for role, permissions in ROLES.items()}
    return digest_of({"permissions": sorted(one.value for one in Permission), "roles": held})


class KnowRoles(Operation):
    """Teaches the database the built-in roles as they stand in the code, and works out anew what everybody holds.

    A release that changes a role or adds a permission has a migration with it. `state` is the `state_of_roles` that it
    was written for: the newest must be that of the code.
    """

    reversible = True
    atomic = True

    def __init__(self, state: str) -> None:
        self.state = state

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """With the state that it was written for."""
        return (type(self).__name__, [self.state], {})

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models do not change."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """The names of the permissions, the function of the roles, and the holdings of everybody."""
        names = _literal([one.value for one in Permission])
        roles = " ".join(
            f"WHEN '{role}' THEN {_literal(sorted(one.value for one in held))}" for role, held in ROLES.items()
        )
        schema_editor.execute(
            "INSERT INTO django_content_type (app_label, model) VALUES ('organisations', 'granttarget') "
            "ON CONFLICT DO NOTHING"
        )
        schema_editor.execute(
            "INSERT INTO auth_permission (name, codename, content_type_id) SELECT word, word, t.id "
            f"FROM unnest({names}) word, django_content_type t "
            "WHERE t.app_label = 'organisations' AND t.model = 'granttarget' ON CONFLICT DO NOTHING"
        )
        schema_editor.execute(
            "CREATE OR REPLACE FUNCTION remit_role_permissions(role text) RETURNS text[] LANGUAGE sql IMMUTABLE AS "
            f"$$ SELECT CASE role {roles} ELSE ARRAY[]::text[] END $$"
        )
        schema_editor.execute("SELECT remit_hold_all()")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """The function stays: others may still ask it."""

    def describe(self) -> str:
        """For the migration's listing."""
        return "Know the built-in roles"
