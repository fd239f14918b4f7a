"""The asks that wait for a person, in the order in which they press, each with what this person may do about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from agents.runs.models import LARGE_IN_RUNS
from foundation.access.models import Grant, PermittedQuerySet
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.identity.models import ApiKey
from governance.approvals.models import ApprovalRequest, ApprovalState, Risk
from governance.approvals.separation import why_own
from governance.approvals.services import ANY_ROLE

# A risk makes an ask press as if so many times less time were left.
WEIGHTS = {Risk.LOW: 1, Risk.MEDIUM: 2, Risk.HIGH: 6, Risk.CRITICAL: 12}
IN_PLACE = frozenset({Risk.LOW, Risk.MEDIUM})
MOST = 200


@dataclass(frozen=True, slots=True)
class Ask:
    """One ask as a row. `why_not` is empty if this actor may decide it."""

    request: ApprovalRequest
    votes: int
    why_not: str

    @property
    def in_place(self) -> bool:
        """Whether it may be decided in the list: what is risky is always opened first."""
        return self.request.risk in IN_PLACE and not self.why_not

    @property
    def progress(self) -> str:
        """`1 of 2` where more than one vote is needed."""
        return f"{self.votes} of {self.request.quorum}" if self.request.quorum > 1 else ""

    @property
    def reason(self) -> str:
        """Why it was asked, in the policy's words."""
        return str(self.request.reasons[0]) if self.request.reasons else ""


def visible_requests(actor: Actor) -> PermittedQuerySet[ApprovalRequest]:
    """The asks that an actor may see, with what a row shows of their runs."""
    return (
        ApprovalRequest.objects.all()
        .permitted(actor, Permission.APPROVAL_VIEW)
        .select_related("run__agent", "requester", "target")
        .defer(*(f"run__{one}" for one in LARGE_IN_RUNS))
    )


def queue(actor: Actor, rows: PermittedQuerySet[ApprovalRequest] | None = None) -> list[Ask]:
    """What waits (of these visible rows), the most pressing first; of many, those whose time is up soonest."""
    found = visible_requests(actor) if rows is None else rows
    waiting = found.filter(state=ApprovalState.WAITING, expires_at__gt=timezone.now())
    return sorted(as_asks(actor, waiting.order_by("expires_at")[:MOST]), key=_pressure)


def own_queue(actor: Actor, rows: PermittedQuerySet[ApprovalRequest], known: list[Ask]) -> list[Ask]:
    """What of it this actor may decide, however much else waits; `known` is the queue of these rows."""
    if len(known) == MOST:
        others = rows.exclude(requester_id=actor.principal).exclude(run__chain__contains=[str(actor.principal)])
        # What services ask for whose keys the actor has is among the others' as well.
        keys = ApiKey.objects.filter(shown_to=actor.principal, revoked_at=None, expires_at=None)
        others = others.exclude(requester_id__in=keys.values("principal_id"))
        known = queue(actor, others.permitted(actor, Permission.APPROVAL_DECIDE))
    return [ask for ask in known if not ask.why_not]


def as_asks(actor: Actor, requests: Iterable[ApprovalRequest]) -> list[Ask]:
    """Rows of requests: three queries more, or four, however many there are."""
    rows = list(requests)
    grants = list(Grant.objects.live().of(actor).select_related("custom_role"))
    counted = ApprovalRequest.objects.filter(pk__in=[row.pk for row in rows]).annotate(
        yes=Count("votes", filter=Q(votes__approve=True)),
        cast=Count("votes", filter=Q(votes__principal_id=actor.principal)),
    )
    votes = {row.pk: (row.yes, row.cast) for row in counted}
    own = why_own(actor.principal, rows)
    asks = []
    for row in rows:
        yes, cast = votes[row.pk]
        here = [one for one in grants if one.target_id in row.target.lineage]
        asks.append(Ask(row, yes, _why_not(actor, row, here, own.get(row.pk, ""), cast)))
    return asks


def _why_not(actor: Actor, request: ApprovalRequest, grants: list[Grant], whose: str, votes: int) -> str:
    if request.state != ApprovalState.WAITING:
        return f"It is {request.get_state_display().lower()} already."
    if request.expires_at <= timezone.now():
        return "Its time has run out."
    if not actor.is_person:
        return "Only a person decides."
    if whose:
        return whose
    if not any(Permission.APPROVAL_DECIDE in one.permissions for one in grants):
        return f"This needs the permission {Permission.APPROVAL_DECIDE.value}."
    if not {one.role for one in grants} & {*request.approvers, ANY_ROLE}:
        return f"This asks for the role {' or '.join(request.approvers)}, which you do not hold here."
    return "You have voted already." if votes else ""


def _pressure(ask: Ask) -> float:
    left = (ask.request.expires_at - timezone.now()).total_seconds()
    return left / WEIGHTS[Risk(ask.request.risk)]
