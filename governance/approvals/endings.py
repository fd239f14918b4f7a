"""What ends without having been decided, or used: asks of runs that ended, and those whose time has run out."""

from typing import NamedTuple
from uuid import UUID

from foundation.actors import system_actor
from foundation.audit.record import Entry, entry


class Ended(NamedTuple):
    """A request that nobody can decide any more, or use."""

    request: UUID
    organisation: UUID
    run: UUID
    question: str
    step: int
    state: str
    reason: str = ""


def said(who: str, ended: Ended) -> Entry:
    """What the record tells of it; `who` is the part of Remit that found it out."""
    return entry(
        system_actor(who, ended.organisation), f"approval.{ended.state}", target_kind="approval",
        target_id=ended.request, target_name=ended.question, outcome="denied", run=ended.run, step=ended.step,
        reason=ended.reason,
    )  # fmt: skip
