"""Writing decisions down: one row and one entry of the record for each, in the transaction of the acts."""

from collections.abc import Sequence
from typing import Any

from agents.gate import Action, Admission, Effect, Verdict
from foundation.actors import Actor, ActorKind
from foundation.audit.record import Entry, entry, record
from foundation.batches import Batch

# Parts of a statement run in an order of their own: a decision is dated before all that follows from it.
_ADD = """
INSERT INTO policies_policydecision (id, organisation_id, target_id, run_id, step, kind, name, effect, policy_effect,
    reasons, determinants, digest, generation, facts, facts_digest, at)
SELECT id, organisation_id, target_id, run_id, step, kind, name, effect, policy_effect, reasons, determinants, digest,
    generation, facts, facts_digest, statement_timestamp()
FROM json_to_recordset(:decisions) AS x(id uuid, organisation_id uuid, target_id uuid, run_id uuid,
    step int, kind text, name text, effect text, policy_effect text, reasons jsonb, determinants jsonb, digest text,
    generation bigint, facts jsonb, facts_digest text)
"""

_OUTCOMES = {Effect.ALLOW: "ok", Effect.DENY: "denied", Effect.ASK: "asked"}


def write_down(batch: Batch, decided: Sequence[tuple[Verdict, Admission]]) -> None:
    """Write decisions, and record them."""
    if decided:
        batch.add("decisions", _ADD, [_row(*one) for one in decided])
        record(*(_entry(*one) for one in decided), cursor=batch)


def _row(verdict: Verdict, admission: Admission) -> dict[str, Any]:
    action = verdict.action
    return {
        "id": action.decision, "organisation_id": action.organisation, "target_id": action.agent,
        "run_id": action.run, "step": action.step, "kind": action.kind, "name": action.target,
        "effect": admission.effect, "policy_effect": verdict.effect, "reasons": list(admission.reasons),
        "determinants": [one.as_json() for one in verdict.determinants], "digest": action.digest,
        "generation": verdict.generation, "facts": dict(verdict.facts), "facts_digest": verdict.facts_digest,
    }  # fmt: skip


def _entry(verdict: Verdict, admission: Admission) -> Entry:
    action = verdict.action
    details = {
        "decision": str(action.decision), "digest": action.digest, "facts": verdict.facts_digest,
        "policies": [one.as_json() for one in verdict.determinants], "would": verdict.shadow,
        **({"replay": True} if action.stubbed else {}),
    }  # fmt: skip
    return entry(
        _actor(action), f"decision.{admission.effect}", target_kind=action.kind, target_id=action.target_id,
        target_name=action.target, outcome=_OUTCOMES[admission.effect], reason=" ".join(admission.reasons),
        step=action.step, details=details, ours=True,
    )  # fmt: skip


def _actor(action: Action) -> Actor:
    return Actor(
        kind=ActorKind.AGENT, name=action.agent_name or action.agent_slug, principal=action.principals[0],
        chain=action.principals[1:], organisation=action.organisation, session=action.session, run=action.run,
    )  # fmt: skip
