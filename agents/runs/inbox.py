"""The questions of agents that wait for a person, as rows of the inbox."""

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from agents.runs.models import InputRequest
from agents.runs.waits import open_questions
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.actors import Actor

MOST = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. `is_mine`: this actor may answer it."""

    request: InputRequest
    is_mine: bool


def questions(actor: Actor) -> list[Asked]:
    """What is asked, the one whose time is up first foremost: two queries."""
    rows = list(visible_questions(actor).select_related("run__agent").order_by("expires_at")[:MOST])
    mine: set[UUID] = set()
    if rows and actor.is_person:
        answerable = _open().permitted(actor, Permission.RUN_CONTROL).filter(pk__in=[row.pk for row in rows])
        mine = set(answerable.values_list("pk", flat=True))
    return [Asked(row, row.pk in mine) for row in rows]


def visible_questions(actor: Actor) -> PermittedQuerySet[InputRequest]:
    """Those that an actor may see."""
    return _open().permitted(actor, Permission.RUN_VIEW)


def _open() -> PermittedQuerySet[InputRequest]:
    found: PermittedQuerySet[InputRequest] = open_questions().filter(expires_at__gt=timezone.now())
    return found
