"""The doorkeeper: policies, approvals and budgets composed into one verdict. Doubt refuses."""

import json
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import connections, transaction

from agents.gate import Action, ActionKind, Admission, Cursor, Effect, Settlement, Verdict
from agents.runs.builtins.port import builtin_hash, is_builtin
from agents.runs.journal import ENGINE, release_connection
from foundation.actors import Actor, ActorKind
from foundation.audit.record import entry, record
from foundation.identity.models import Principal, PrincipalState
from governance.approvals import engine as approvals
from governance.approvals.models import ApprovalState
from governance.budgets import engine as budgets
from governance.policies.circumstances import facts_now, narrowed
from governance.policies.facts import facts_digest
from governance.policies.standing import standing

log = structlog.get_logger(__name__)


class Doorkeeper:
    """Implements `agents.gate.Gate`."""

    def prepare(self, actions: Sequence[Action]) -> list[Verdict]:
        """Judge actions: cheapest first, no locks, no writes; an error is a denial."""
        try:
            return [self._judge(action) for action in actions]
        finally:
            release_connection()

    def commit(self, cursor: Cursor, verdicts: Sequence[Verdict]) -> list[Admission]:
        """Decide for good, under the policies of this very moment; one refused member does not abort the others."""
        admissions = []
        for verdict in verdicts:
            admission = _admit(cursor, verdict)
            if not admission.retry and not _still_waits(verdict, admission):
                _write_down(cursor, verdict, admission)
            admissions.append(admission)
        return admissions

    def settle(self, cursor: Cursor, settlements: Sequence[Settlement]) -> list[int]:
        """Book the costs; the amounts booked."""
        return [budgets.settle(cursor, settlement) for settlement in settlements]

    def _judge(self, action: Action) -> Verdict:
        try:
            with transaction.atomic(using=ENGINE), connections[ENGINE].cursor() as cursor:
                return _verdict(cursor, action)
        except Exception as error:
            log.exception("gate failed", run=str(action.run), step=action.step)
            reason = f"The gate could not judge this ({type(error).__name__}): {str(error)[:200]}"
            return Verdict(action=action, effect=Effect.DENY, reasons=(reason,))


def _verdict(cursor: Any, action: Action) -> Verdict:
    if action.problem:
        return Verdict(action=action, effect=Effect.DENY, reasons=(action.problem,))
    if action.estimate is None:
        reason = f"There is no price for {action.target} in the organisation's currency: set one in the catalogue."
        return Verdict(action=action, effect=Effect.DENY, reasons=(reason,))
    if refusal := _without_standing(action):
        return Verdict(action=action, effect=Effect.DENY, reasons=(refusal,))
    policies, now = standing(cursor, action.organisation, ENGINE)
    asked = approvals.standing_of(cursor, action, policies.generation)
    if asked is not None and asked.state is ApprovalState.WAITING:
        return Verdict(action=action, effect=Effect.ASK, generation=policies.generation, standing="waiting")
    if asked is not None and (refusal := _answer(asked)):
        return Verdict(action=action, effect=Effect.DENY, reasons=(refusal,), generation=policies.generation)
    approved = asked is not None and asked.state is ApprovalState.APPROVED
    facts = facts_now(action, now=now, approved=approved)
    decision = narrowed(policies.compiled, action, facts)
    return Verdict(
        action=action, effect=decision.effect, reasons=decision.reasons, determinants=decision.determinants,
        obligation=decision.obligation, generation=policies.generation, facts=facts.as_json(),
        facts_digest=facts_digest(facts), shadow=decision.shadow.effect.value if decision.shadow else "",
        standing="approved" if approved else "",
    )  # fmt: skip


def _without_standing(action: Action) -> str:
    """Who of the chain may not act any more, in a sentence; empty if all may."""
    rows = Principal.objects.using(ENGINE).filter(organisation_id=action.organisation, pk__in=action.principals)
    found = {pk: (name, state) for pk, name, state in rows.values_list("pk", "name", "state")}
    if not action.principals or set(action.principals) - set(found):
        return "Nobody knows in whose name this is to happen."
    suspended = [name for name, state in found.values() if state != PrincipalState.ACTIVE]
    return f"{suspended[0]} is suspended: nothing is done in that name." if suspended else ""


def _answer(asked: approvals.Standing) -> str:
    match asked.state:
        case ApprovalState.DENIED:
            return f"A person said no: {asked.reason}" if asked.reason else "A person said no."
        case ApprovalState.EXPIRED:
            return "Nobody answered in time, which means no."
        case ApprovalState.CONSUMED:
            return "This approval was already used."
    return ""


def _admit(cursor: Cursor, verdict: Verdict) -> Admission:
    action = verdict.action
    if verdict.effect is Effect.DENY:
        return Admission(effect=Effect.DENY, reasons=verdict.reasons, cause="policy")
    cursor.execute(
        "SELECT number FROM policies_policygeneration WHERE organisation_id = %s FOR SHARE", (action.organisation,)
    )
    row = cursor.fetchone()
    if row is None or row[0] != verdict.generation:
        return Admission(effect=Effect.DENY, reasons=("The policies changed meanwhile.",), retry=True)
    if refusal := _changed(cursor, action):
        return Admission(effect=Effect.DENY, reasons=(refusal,), cause="definition")
    if verdict.standing == "waiting" and not approvals.still_waits(cursor, action):
        return Admission(effect=Effect.DENY, reasons=("People answered meanwhile.",), retry=True)
    if verdict.effect is Effect.ASK:
        waits_for = action.approval if verdict.standing == "waiting" else approvals.open_request(cursor, verdict)
        return Admission(effect=Effect.ASK, reasons=verdict.reasons, waits_for=waits_for, cause="policy")
    if verdict.standing == "approved" and not approvals.is_usable(cursor, action):
        return Admission(effect=Effect.DENY, reasons=("This approval is not valid any more.",), cause="approval")
    if action.kind is ActionKind.RUN_START:
        budgets.open_run_budget(cursor, action)
    if refusal := budgets.reserve(cursor, action):
        return Admission(effect=Effect.DENY, reasons=(refusal,), cause="budget")
    if verdict.standing == "approved":
        # After the money: an act that cannot be paid leaves its approval unused. The row is locked since the look.
        approvals.consume(cursor, action)
    return Admission(effect=Effect.ALLOW, reasons=verdict.reasons)


_TOOL = """
SELECT t.state = 'active' AND c.enabled AND t.definition_hash = %s
FROM tools_tool t JOIN tools_connector c ON c.id = t.connector_id WHERE t.id = %s AND t.organisation_id = %s
"""


def _changed(cursor: Cursor, action: Action) -> str:
    """Why a tool may not be called as it was judged: it was disabled or changed in the meantime. Empty if it may."""
    if action.kind is not ActionKind.TOOL_CALL:
        return ""
    if is_builtin(action.target):
        # A worker of another release may have judged it.
        same = action.target_version == builtin_hash(action.target)
        return "" if same else f"The tool {action.target} is another one meanwhile."
    cursor.execute(_TOOL, (action.target_version, action.target_id, action.organisation))
    row = cursor.fetchone()
    if row is None or not row[0]:
        return f"The tool {action.target} was disabled or changed meanwhile: a person must review it first."
    return ""


def _still_waits(verdict: Verdict, admission: Admission) -> bool:
    return admission.effect is Effect.ASK and verdict.standing == "waiting"


def _write_down(cursor: Cursor, verdict: Verdict, admission: Admission) -> None:
    action = verdict.action
    cursor.execute(
        "INSERT INTO policies_policydecision (id, organisation_id, target_id, run_id, step, kind, name, effect, "
        "policy_effect, reasons, determinants, digest, generation, facts, facts_digest, at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
        (
            action.decision, action.organisation, action.agent, action.run, action.step, action.kind.value,
            action.target, admission.effect.value, verdict.effect.value, json.dumps(list(admission.reasons)),
            json.dumps([one.as_json() for one in verdict.determinants]), action.digest, verdict.generation,
            json.dumps(dict(verdict.facts)), verdict.facts_digest,
        ),
    )  # fmt: skip
    actor = Actor(
        kind=ActorKind.AGENT, name=action.agent_name or action.agent_slug,
        principal=action.principals[0], chain=action.principals[1:],
        organisation=action.organisation, session=action.session, run=action.run,
    )  # fmt: skip
    outcome = {Effect.ALLOW: "ok", Effect.DENY: "denied", Effect.ASK: "asked"}[admission.effect]
    details = {
        "decision": str(action.decision), "digest": action.digest, "facts": verdict.facts_digest,
        "policies": [one.as_json() for one in verdict.determinants], "would": verdict.shadow,
    }  # fmt: skip
    record(
        entry(
            actor, f"decision.{admission.effect}", target_kind=action.kind.value, target_id=action.target_id,
            target_name=action.target, outcome=outcome, reason=" ".join(admission.reasons), step=action.step,
            details=details,
        ),
        cursor=cursor,
    )  # fmt: skip
