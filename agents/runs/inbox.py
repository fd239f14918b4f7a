"""The questions of agents that wait for a person, as rows of the inbox."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.runs.models import LARGE_IN_RUNS, InputRequest
from agents.runs.waits import open_questions
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.access.withheld import withheld
from foundation.actors import Actor

MOST = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. `is_mine`: this actor may answer it. Its `words` are withheld from whoever never could."""

    request: InputRequest
    is_mine: bool
    words: Any


def questions(actor: Actor, among: PermittedQuerySet[InputRequest] | None = None) -> list[Asked]:
    """What is asked, the one whose time is up first foremost: two queries. An auditor reads it on its page."""
    visible = visible_questions(actor) if among is None else among
    light = visible.select_related("run__agent").defer(*(f"run__{one}" for one in LARGE_IN_RUNS))
    rows = list(light.order_by("expires_at")[:MOST])
    controlled: set[UUID] = set()
    if rows:
        answerable = _open().permitted(actor, Permission.RUN_CONTROL).filter(pk__in=[row.pk for row in rows])
        controlled = set(answerable.values_list("pk", flat=True))
    return [_asked(actor, row, row.pk in controlled) for row in rows]


def own_questions(actor: Actor, known: list[Asked]) -> list[Asked]:
    """Those that this actor may answer, however many others there are; `known` are all that were found."""
    if len(known) == MOST:
        known = questions(actor, visible_questions(actor).permitted(actor, Permission.RUN_CONTROL))
    return [one for one in known if one.is_mine]


def _asked(actor: Actor, row: InputRequest, may: bool) -> Asked:  # noqa: FBT001 - a fact about the row
    return Asked(row, may and actor.is_person, row.question if may else withheld(row.question))


def visible_questions(actor: Actor) -> PermittedQuerySet[InputRequest]:
    """Those that an actor may see."""
    return _open().permitted(actor, Permission.RUN_VIEW)


def _open() -> PermittedQuerySet[InputRequest]:
    found: PermittedQuerySet[InputRequest] = open_questions().filter(expires_at__gt=timezone.now())
    return found
