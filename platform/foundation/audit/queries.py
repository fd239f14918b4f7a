"""The words to ask the record with."""

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from foundation.ids import lowest_id

_SKEW = timedelta(hours=1)  # between the clock that made an id and the database's


class AppendOnlyError(TypeError):
    """The record is written by `record()` and never changed."""


class AuditEntryQuerySet(models.QuerySet[Any]):
    """Entries, newest first; a page goes on with `before(last.id)`."""

    def in_organisation(self, organisation: UUID | None) -> Self:
        """Entries of one organisation; None gives those of the installation."""
        return self.filter(organisation_id=organisation)

    def matching(
        self,
        *,
        actor: UUID | str | None = None,
        action: str = "",
        outcome: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        text: str = "",
    ) -> Self:
        """Narrow by principal (id or name), action (`run` is all of `run.*`), outcome, time (from, before), words."""
        found = self
        if isinstance(actor, UUID):
            found = found.filter(actor_id=actor)
        elif actor:
            found = found.filter(actor_name__icontains=actor)
        if action:
            found = found.filter(Q(action=action) | Q(action__startswith=action.rstrip(".") + "."))
        if outcome:
            found = found.filter(outcome=outcome)
        if since:  # the bound on the id only spares partitions
            found = found.filter(at__gte=since, id__gte=lowest_id(since - _SKEW))
        if until:
            found = found.filter(at__lt=until, id__lt=lowest_id(until + _SKEW))
        return found.saying(text) if text else found

    def saying(self, text: str) -> Self:
        """Entries in whose names or reason the text occurs."""
        names = ("action", "actor_name", "target_name", "reason")
        return self.filter(Q.create([(f"{name}__icontains", text) for name in names], connector=Q.OR))

    def about(self, target: UUID) -> Self:
        """Entries whose target is the thing with this id."""
        return self.filter(target_id=target)

    def in_run(self, run: UUID) -> Self:
        """Entries of one run."""
        return self.filter(run_id=run)

    def before(self, last: UUID | None) -> Self:
        """The entries older than one, or all: the next page."""
        return self.filter(id__lt=last) if last else self

    def update(self, **_changes: Any) -> int:
        """Refused."""
        raise AppendOnlyError("The record is append-only: an entry is never updated.")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refused."""
        raise AppendOnlyError("The record is append-only: an entry is never deleted.")
