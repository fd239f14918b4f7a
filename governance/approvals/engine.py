"""The gate's side of approvals: opening a request, and using one up for exactly the act that it covers."""

import json
from dataclasses import dataclass
from uuid import UUID

from agents.gate import Action, Verdict
from foundation.audit.record import record
from foundation.batches import Cursor
from foundation.ids import uuid7
from governance.approvals.endings import Ended, said
from governance.approvals.models import ApprovalState


@dataclass(frozen=True, slots=True)
class Standing:
    """What an act's approval is worth now."""

    state: ApprovalState
    reason: str = ""
    approved: str = ""  # by whom and when, of one that ran out before it was used


# The last column: who said yes and when, of a request that was decided while its time ran.
_STANDING = """
SELECT r.state, r.digest, r.generation, r.label, r.expires_at <= clock_timestamp(),
    (SELECT v.reason FROM approvals_vote v WHERE v.request_id = r.id AND NOT v.approve ORDER BY v.id LIMIT 1),
    (SELECT string_agg(p.name, ' and ' ORDER BY v.id)
        || to_char(r.decided_at AT TIME ZONE 'UTC', '" at "YYYY-MM-DD HH24:MI:SS" UTC"')
        FROM approvals_vote v JOIN identity_principal p ON p.id = v.principal_id
        WHERE v.request_id = r.id AND v.approve AND r.decided_at < r.expires_at)
FROM approvals_approvalrequest r WHERE r.id = %s AND r.organisation_id = %s AND r.run_id = %s
"""


def standing_of(cursor: Cursor, action: Action, generation: int) -> Standing | None:
    """What became of the request that an act waited for; VOID when it does not cover this act any more."""
    if action.approval is None:
        return None
    cursor.execute(_STANDING, (action.approval, action.organisation, action.run))
    row = cursor.fetchone()
    if row is None:
        return Standing(ApprovalState.VOID)
    state, digest, given_under, label, late, reason, approved = row
    state = ApprovalState(state)
    label = json.loads(label) if isinstance(label, str) else label
    if state in {ApprovalState.WAITING, ApprovalState.APPROVED}:
        if digest != action.digest or given_under != generation or label != action.label.as_json():
            return Standing(ApprovalState.VOID)
        if late:
            return Standing(ApprovalState.EXPIRED, approved=approved or "")
    return Standing(state, reason or "", approved or "")


def open_request(cursor: Cursor, verdict: Verdict) -> UUID:
    """Ask people. The request carries the digest of the exact act, and the circumstances that it was asked in."""
    action, obligation = verdict.action, verdict.obligation
    if obligation is None:
        message = "an ask without an obligation"
        raise ValueError(message)
    request = uuid7()
    if action.approval is not None:
        void(cursor, action.approval)
    cursor.execute(
        "INSERT INTO approvals_approvalrequest (id, organisation_id, run_id, target_id, requester_id, step, "
        "decision_id, tool, arguments, digest, generation, label, question, reasons, determinants, risk, approvers, "
        "quorum, state, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, "
        "'waiting', clock_timestamp() + make_interval(secs => %s))",
        (
            request, action.organisation, action.run, action.agent, action.requester, action.step, action.decision,
            action.target, json.dumps(action.arguments), action.digest, verdict.generation,
            json.dumps(action.label.as_json()), (obligation.question or f"May I use {action.target}?")[:300],
            json.dumps(list(verdict.reasons)), json.dumps([one.as_json() for one in verdict.determinants]),
            obligation.risk, json.dumps(list(obligation.approvers)), obligation.quorum, obligation.expires_in,
        ),
    )  # fmt: skip
    return request


def still_waits(cursor: Cursor, action: Action) -> bool:
    """Whether people have yet to answer; nobody answers before this transaction has ended."""
    cursor.execute(
        "SELECT id FROM approvals_approvalrequest WHERE id = %s AND state = 'waiting' FOR UPDATE", (action.approval,)
    )
    return cursor.fetchone() is not None


def is_usable(cursor: Cursor, action: Action) -> bool:
    """Whether an approval is there, unused, for exactly this act; it is locked until this transaction ends."""
    cursor.execute(
        "SELECT id FROM approvals_approvalrequest WHERE id = %s AND organisation_id = %s AND run_id = %s "
        "AND state = 'approved' AND digest = %s AND expires_at > clock_timestamp() FOR UPDATE",
        (action.approval, action.organisation, action.run, action.digest),
    )
    return cursor.fetchone() is not None


def consume(cursor: Cursor, action: Action) -> None:
    """Use an approval up; it must have been found usable in this transaction."""
    cursor.execute(
        "UPDATE approvals_approvalrequest SET state = 'consumed' WHERE id = %s AND state = 'approved' RETURNING id",
        (action.approval,),
    )
    if cursor.fetchone() is None:
        message = "an approval was used that nobody holds"
        raise ValueError(message)


def void(cursor: Cursor, request: UUID) -> None:
    """The circumstances changed: whatever was asked or approved is worth nothing."""
    cursor.execute(
        "UPDATE approvals_approvalrequest SET state = 'void', decided_at = coalesce(decided_at, clock_timestamp()) "
        "WHERE id = %s AND state IN ('waiting', 'approved')",
        (request,),
    )


def close(cursor: Cursor, run: UUID) -> None:
    """The run ends: nobody needs to decide what it asked for, and what was approved is not done any more."""
    cursor.execute(
        "UPDATE approvals_approvalrequest SET state = 'void', decided_at = coalesce(decided_at, clock_timestamp()) "
        "WHERE run_id = %s AND state IN ('waiting', 'approved') RETURNING id, organisation_id, question, step",
        (run,),
    )
    ended = [Ended(request, organisation, run, question, step, ApprovalState.VOID.value)
             for request, organisation, question, step in cursor.fetchall()]  # fmt: skip
    record(*(said("engine", one) for one in ended), cursor=cursor)
