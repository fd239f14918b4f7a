"""The migration operation of the record: who may see and add."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from foundation.tenancy.operations import ENGINE, SERVING, SYSTEM

_TENANT = "nullif(current_setting('remit.organisation', true), '')::uuid"


class IsolateRecord(Operation):
    """Row-level security for a table of the record whose organisation (`column`) may be missing.

    *Serving* sees its own organisation's rows; where `adds` it may add such rows, and rows of no organisation. Of
    the columns `given` (by the database) no application role may choose the value. *Engine* and *system* read all
    and, where `adds`, add; *system* may what `system` says besides. Nobody else sees anything.
    """

    reversible = True
    atomic = True

    def __init__(
        self, model: str, *, column: str = "organisation_id", adds: bool = False, given: Sequence[str] = (),
        system: str = "SELECT",
    ) -> None:  # fmt: skip
        self.model, self.column, self.adds, self.given, self.system = model, column, adds, tuple(given), system

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """All arguments, by name."""
        named = {"column": self.column, "adds": self.adds, "given": self.given, "system": self.system}
        return (type(self).__name__, [self.model], named)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Privileges and policies of each role."""
        meta: Any = to_state.apps.get_model(app_label, self.model)._meta
        table = meta.db_table
        chosen = ", ".join(f'"{field.column}"' for field in meta.local_concrete_fields if field.name not in self.given)
        own = f'"{self.column}" = {_TENANT}'
        for statement in (
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
            f'GRANT SELECT ON "{table}" TO {SERVING}, {ENGINE}',
            f'GRANT {self.system} ON "{table}" TO {SYSTEM}',
            f'CREATE POLICY "{table}_own" ON "{table}" FOR SELECT TO {SERVING} USING ({own})',
            f'CREATE POLICY "{table}_across" ON "{table}" TO {ENGINE}, {SYSTEM} USING (true) WITH CHECK (true)',
        ):
            schema_editor.execute(statement)
        if self.adds:
            schema_editor.execute(f'GRANT INSERT ({chosen}) ON "{table}" TO {SERVING}, {ENGINE}, {SYSTEM}')
            schema_editor.execute(
                f'CREATE POLICY "{table}_add" ON "{table}" FOR INSERT TO {SERVING} '
                f'WITH CHECK ({own} OR "{self.column}" IS NULL)'
            )

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models do not change."""

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Dropping the table (the next reverse step) takes everything along."""

    def describe(self) -> str:
        """For the migration's listing."""
        return f"Isolate the tenants of {self.model}"
