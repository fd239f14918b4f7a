"""Migration operations: row-level security and privileges, constraints that hold the organisation, partitions.

The four roles: *owner* migrates; *serving* answers requests, under row-level security; *engine* writes the journal
of several tenants; *system* runs the few tasks that cross tenants.
"""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from foundation.tenancy.models import TenantForeignKey

SERVING = "remit_serving"
ENGINE = "remit_engine"
SYSTEM = "remit_system"

READ = "SELECT"
APPEND = "SELECT, INSERT"
WRITE = "SELECT, INSERT, UPDATE, DELETE"
CHANGE = "SELECT, INSERT, UPDATE"

_TENANT = "nullif(current_setting('remit.organisation', true), '')::uuid"


class _TableOperation(Operation):
    reversible = True
    atomic = True

    def __init__(self, model: str) -> None:
        self.model = model

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models do not change."""

    def _model(self, app_label: str, state: ProjectState) -> type[models.Model]:
        return state.apps.get_model(app_label, self.model)


class IsolateTenant(_TableOperation):
    """Row-level security with FORCE, privileges of each role, and composite foreign keys for one model.

    `column` is the column that names the organisation (`id` for the organisation itself).
    """

    def __init__(
        self,
        model: str,
        *,
        serving: str = WRITE,
        engine: str = READ,
        system: str = WRITE,
        column: str = "organisation_id",
    ) -> None:
        super().__init__(model)
        self.serving, self.engine, self.system, self.column = serving, engine, system, column

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """All arguments, by name."""
        return (
            type(self).__name__,
            [self.model],
            {"serving": self.serving, "engine": self.engine, "system": self.system, "column": self.column},
        )

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Secure the table, then tie its foreign keys to the organisation."""
        model = self._model(app_label, to_state)
        table = model._meta.db_table
        if self.column != "id" and not _is_partitioned(schema_editor, table):
            _ensure_tenant_key(schema_editor, table)
        schema_editor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        schema_editor.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        for role, privileges in ((SERVING, self.serving), (ENGINE, self.engine), (SYSTEM, self.system)):
            if not privileges:
                continue
            schema_editor.execute(f'GRANT {privileges} ON "{table}" TO {role}')
            rule = f'"{self.column}" = {_TENANT}' if role == SERVING else "true"
            schema_editor.execute(
                f'CREATE POLICY "{table}_{role}" ON "{table}" TO {role} USING ({rule}) WITH CHECK ({rule})'
            )
        for field in model._meta.get_fields():
            if isinstance(field, TenantForeignKey):
                _ensure_tenant_key(schema_editor, field.related_model._meta.db_table)
                schema_editor.execute(_composite_key(table, self.column, field))

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Dropping the table (the next reverse step) takes everything along."""

    def describe(self) -> str:
        """For the migration's listing."""
        return f"Isolate the tenants of {self.model}"


def _is_partitioned(schema_editor: BaseDatabaseSchemaEditor, table: str) -> bool:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(%s)", [table])
        row = cursor.fetchone()
    return bool(row and row[0])


def _ensure_tenant_key(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    # Two models may point at each other, so whichever comes first makes the other's key too.
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_constraint WHERE conname = %s", [f"{table}_tenant_key"])
        if cursor.fetchone() is None:
            cursor.execute(
                f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_tenant_key" UNIQUE ("organisation_id", "id")'
            )


def _composite_key(table: str, column: str, field: TenantForeignKey) -> str:
    target = field.related_model._meta.db_table
    delete = "CASCADE" if field.remote_field.on_delete is models.CASCADE else "NO ACTION"
    return (
        f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_{field.column}_tenant" '
        f'FOREIGN KEY ("{column}", "{field.column}") REFERENCES "{target}" ("organisation_id", "id") '
        f"ON DELETE {delete} DEFERRABLE INITIALLY DEFERRED"
    )


class PartitionByTime(_TableOperation):
    """Turn the (empty, new) table of a model into one that is range-partitioned by a UUIDv7 column.

    A UUIDv7 starts with its time, so ranges of it are ranges of time, and uniqueness can be kept by the
    database: `key` becomes the primary key and must hold `column`. The first partition is the default one;
    `remit_make_partitions()` adds the months to come. Rows of a table that is not `owned` outlive their organisation
    (or have none), and so no foreign key ties them to it.
    """

    def __init__(self, model: str, *, column: str = "id", key: Sequence[str] = ("id",), owned: bool = True) -> None:
        super().__init__(model)
        self.column, self.key, self.owned = column, tuple(key), owned

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """All arguments, by name."""
        return (type(self).__name__, [self.model], {"column": self.column, "key": self.key, "owned": self.owned})

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Make the partitioned twin, and put it in the place of the plain table."""
        model = self._model(app_label, to_state)
        table = model._meta.db_table
        plain = f"{table}_plain"
        key = ", ".join(f'"{name}"' for name in self.key)
        schema_editor.execute(f'ALTER TABLE "{table}" RENAME TO "{plain}"')
        schema_editor.execute(
            f'CREATE TABLE "{table}" (LIKE "{plain}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS) '
            f'PARTITION BY RANGE ("{self.column}")'
        )
        schema_editor.execute(f'DROP TABLE "{plain}"')
        schema_editor.execute(f'ALTER TABLE "{table}" ADD PRIMARY KEY ({key})')
        schema_editor.execute(f'CREATE TABLE "{table}_rest" PARTITION OF "{table}" DEFAULT')
        schema_editor.execute("SELECT remit_make_partitions(%s, %s)", [table, 3])
        for index in model._meta.indexes:
            schema_editor.add_index(model, index)
        if self.owned:
            schema_editor.execute(
                f'ALTER TABLE "{table}" ADD CONSTRAINT "{table}_organisation" '
                'FOREIGN KEY ("organisation_id") REFERENCES "organisations_organisation" ("id")'
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Dropping the table (the next reverse step) takes its partitions along."""

    def describe(self) -> str:
        """For the migration's listing."""
        return f"Partition {self.model} by the time in {self.column}"


class AppendOnly(_TableOperation):
    """Rows of this model are never changed, deleted or truncated: a trigger refuses it to every role."""

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """The model."""
        return (type(self).__name__, [self.model], {})

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Triggers for rows, which PostgreSQL passes on to partitions, and for statements, which it does not."""
        table = self._model(app_label, to_state)._meta.db_table
        schema_editor.execute(
            f'CREATE TRIGGER "{table}_no_change" BEFORE UPDATE OR DELETE ON "{table}" '
            "FOR EACH ROW EXECUTE FUNCTION remit_refuse_change()"
        )
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
            partitions = [name for (name,) in cursor.fetchall()]
        for name in (f'"{table}"', *partitions):
            schema_editor.execute(
                f'CREATE TRIGGER "{table}_no_truncate" BEFORE TRUNCATE ON {name} '
                "FOR EACH STATEMENT EXECUTE FUNCTION remit_refuse_change()"
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Dropping the table (the next reverse step) takes the triggers along."""

    def describe(self) -> str:
        """For the migration's listing."""
        return f"Make {self.model} append-only"


class TieTenantKey(_TableOperation):
    """Hold the organisation in a foreign key that was added to an existing table; reads and writes go on meanwhile."""

    def __init__(self, model: str, field: str) -> None:
        super().__init__(model)
        self.field = field

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """Both arguments."""
        return (type(self).__name__, [self.model, self.field], {})

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Without a look at the rows first, then with one that locks nobody out."""
        model = self._model(app_label, to_state)
        field = model._meta.get_field(self.field)
        if not isinstance(field, TenantForeignKey):
            raise TypeError(f"{self.field} is no key between rows of one organisation")
        table = model._meta.db_table
        schema_editor.execute(_composite_key(table, "organisation_id", field) + " NOT VALID")
        schema_editor.execute(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{table}_{field.column}_tenant"')

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Dropping the column (the next reverse step) takes the constraint along."""

    def describe(self) -> str:
        """For the migration's listing."""
        return f"Tie {self.field} of {self.model} to its organisation"


class CountChanges(_TableOperation):
    """Every change of this model's rows counts the organisation's configuration up, in the same transaction."""

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """The model."""
        return (type(self).__name__, [self.model], {})

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """A trigger for each kind of statement; one sees all the rows that the statement changed."""
        table = self._model(app_label, to_state)._meta.db_table
        for event, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            schema_editor.execute(
                f'CREATE TRIGGER "{table}_counted_{event.lower()}" AFTER {event} ON "{table}" '
                f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION remit_count_changes()"
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Take the triggers away."""
        table = self._model(app_label, from_state)._meta.db_table
        for event in ("insert", "update", "delete"):
            schema_editor.execute(f'DROP TRIGGER IF EXISTS "{table}_counted_{event}" ON "{table}"')

    def describe(self) -> str:
        """For the migration's listing."""
        return f"Count the changes of {self.model}"
