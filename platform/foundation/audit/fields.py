"""What the record's columns need beyond Django's own: transaction ids, and values that only the database gives."""

from typing import Any

from django.db import models


class TransactionIdField(models.BigIntegerField):  # type: ignore[type-arg]  # Django takes no arguments here
    """A 64-bit transaction id (`xid8`), which unlike `xid` never wraps around."""

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - Django passes it by name
        """PostgreSQL's own type."""
        return "xid8"

    def from_db_value(self, value: Any, _expression: Any, _connection: Any) -> int | None:
        """The driver hands it over as text."""
        return None if value is None else int(value)


class ClockTimestamp(models.Func):
    """The database's clock at this instant, not at the start of the transaction."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()


class CurrentTransaction(models.Func):
    """The id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    output_field = TransactionIdField()


class CurrentEpoch(models.Func):
    """The cluster's system identifier: in another cluster transaction ids start again."""

    template = "(pg_control_system()).system_identifier"
    output_field = models.BigIntegerField()
