"""Verbs on approvals: a person's yes or no to one exact act."""

import hmac
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from agents.runs.claims import wake
from agents.runs.models import ENDED
from agents.runs.tasks import ring
from foundation.access.guards import RefusedError, require
from foundation.access.models import Grant
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Principal, PrincipalKind, PrincipalState
from foundation.instants import database_now
from foundation.organisations.models import GrantTarget
from governance.approvals.models import ApprovalRequest, ApprovalState, Vote
from governance.approvals.separation import why_own

ANY_ROLE = "administrator"  # stands in for every group of approvers


class SeparationError(RefusedError):
    """Whoever asked for an act never decides on it, and neither does an agent."""

    def __init__(self, message: str) -> None:
        super().__init__(Permission.APPROVAL_DECIDE)
        self.args = (message,)


@transaction.atomic
def approve(*, actor: Actor, request: ApprovalRequest, digest: str, reason: str = "") -> ApprovalRequest:
    """Vote yes. `digest` is that of the act as the person saw it: another one is a conflict."""
    found = _lock(actor, request)
    if not hmac.compare_digest(digest.encode(), found.digest.encode()):
        raise ConflictError("The call changed since you opened it: review it again.")
    roles = _roles(actor, found)
    if not roles & {*found.approvers, ANY_ROLE}:
        raise SeparationError(f"This asks for the role {' or '.join(found.approvers)}, which you do not hold here.")
    _vote(actor, found, approve=True, reason=reason)
    if _is_enough(found):
        _decide(actor, found, ApprovalState.APPROVED, "approval.approve", reason)
    else:
        record(_entry(actor, found, "approval.vote", reason))
    return found


@transaction.atomic
def deny(*, actor: Actor, request: ApprovalRequest, reason: str) -> ApprovalRequest:
    """Vote no; one no is enough."""
    if not reason.strip():
        raise InvalidError("Say why: the agent and the record are told.", field="reason")
    found = _lock(actor, request)
    _vote(actor, found, approve=False, reason=reason)
    _decide(actor, found, ApprovalState.DENIED, "approval.deny", reason)
    return found


def votes_missing(request: ApprovalRequest) -> int:
    """How many more people must say yes, at least."""
    return max(request.quorum - request.votes.filter(approve=True).count(), 0)


def _lock(actor: Actor, request: ApprovalRequest) -> ApprovalRequest:
    voter = _voter(actor)
    require(actor, Permission.APPROVAL_DECIDE, request.target_id)
    found = ApprovalRequest.objects.select_for_update(of=("self",)).select_related("run").get(pk=request.pk)
    if why := why_own(voter, [found]).get(found.pk):
        raise SeparationError(why)
    if found.state != ApprovalState.WAITING:
        raise ConflictError(_already(found))
    if not ApprovalRequest.objects.filter(pk=found.pk, expires_at__gt=Now()).exists():
        raise ConflictError("This request was not decided in time: it has expired.")
    if found.run.state in ENDED:
        raise ConflictError(f"The run has ended meanwhile: it is {found.run.get_state_display().lower()}.")
    if found.votes.filter(principal_id=voter).exists():
        raise ConflictError("You have already voted: another person must answer too.")
    return found


def _already(request: ApprovalRequest) -> str:
    if request.run.state in ENDED and request.state == ApprovalState.VOID:
        return f"The run has ended meanwhile: it is {request.run.get_state_display().lower()}."
    if request.state == ApprovalState.EXPIRED:
        return "The time of this request has run out: it has expired."
    last = request.votes.select_related("principal").order_by("-id").first()
    by = f" by {last.principal.name}" if last and request.state in {"approved", "consumed", "denied"} else ""
    at = f" at {request.decided_at:%Y-%m-%d %H:%M:%S} UTC" if request.decided_at else ""
    word = "approved" if request.state == ApprovalState.CONSUMED else request.get_state_display().lower()
    return f"This is already {word}{by}{at}."


def _vote(actor: Actor, request: ApprovalRequest, *, approve: bool, reason: str) -> None:
    Vote.objects.create(
        organisation_id=request.organisation_id, request=request, principal_id=_voter(actor), approve=approve,
        reason=reason[:500], digest=request.digest,
    )  # fmt: skip


def _roles(actor: Actor, request: ApprovalRequest) -> set[str]:
    return _roles_of(_voter(actor), request)


def _voter(actor: Actor) -> UUID:
    if not actor.is_person or actor.principal is None:
        raise SeparationError("Only a person decides on an approval.")
    if not _people([actor.principal]):
        raise SeparationError("You are suspended here, or no person of this organisation.")
    return actor.principal


def _people(principals: list[UUID]) -> list[UUID]:
    """Those who are people, and not suspended."""
    found = Principal.objects.filter(pk__in=principals, kind=PrincipalKind.PERSON, state=PrincipalState.ACTIVE)
    return list(found.values_list("pk", flat=True))


def _roles_of(principal: UUID, request: ApprovalRequest) -> set[str]:
    lineage = GrantTarget.objects.values_list("lineage", flat=True).get(pk=request.target_id)
    grants = Grant.objects.live().reaching(principal).filter(target_id__in=lineage)
    return set(grants.values_list("role", flat=True))


def _is_enough(request: ApprovalRequest) -> bool:
    """Enough people who may still answer, and each group of approvers is represented by one of them."""
    voters = _people(list(request.votes.filter(approve=True).values_list("principal_id", flat=True)))
    asked_of = {*request.approvers, ANY_ROLE}
    held = [roles for voter in voters if (roles := _roles_of(voter, request) & asked_of)]
    return len(held) >= request.quorum and all(
        any(roles & {group, ANY_ROLE} for roles in held) for group in request.approvers
    )


def _decide(actor: Actor, request: ApprovalRequest, state: ApprovalState, action: str, reason: str) -> None:
    request.state, request.decided_at = state, database_now()
    request.save(update_fields=["state", "decided_at"])
    record(_entry(actor, request, action, reason))
    with connection.cursor() as cursor:
        wake(cursor, request.run_id, request.id)
    transaction.on_commit(lambda: ring(request.run_id), robust=True)


def _entry(actor: Actor, request: ApprovalRequest, action: str, reason: str) -> Entry:
    return entry(
        actor, action, target_kind="approval", target_id=request.id, target_name=request.question, reason=reason,
        run=request.run_id, step=request.step, details={"digest": request.digest, "tool": request.tool},
    )  # fmt: skip
