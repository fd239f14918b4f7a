"""The acts of a run, put into words for the gate, and its answer in words for the journal."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from agents.catalogue.messages import ModelRequest
from agents.gate import Action, ActionKind, Admission, Verdict
from agents.labels import Label
from agents.runs.builtins.port import builtin_hash
from agents.runs.journal import StepRow
from agents.runs.models import Step, StepKind, StepState
from agents.runs.moves import DELEGATE
from agents.runs.provenance import provenance
from agents.runs.work import Work
from agents.tools.builtins import HAND_OVER
from agents.tools.port import ToolEffect
from foundation.ids import uuid7


def run_start(work: Work) -> Action:
    """May this run start?"""
    return _action(
        work, ActionKind.RUN_START, work.agent.slug, target_id=work.agent.id,
        problem=_cannot_start(work), run_budget=work.run.budget,
    )  # fmt: skip


def model_call(work: Work, request: ModelRequest, wait: Step | None) -> Action:
    """May the model be called? The estimate is an upper bound of input and output."""
    estimate = None
    if work.price is not None:
        estimate = work.price.cost(request.most_input_tokens, request.max_output_tokens)
    return _action(
        work, ActionKind.MODEL_CALL, work.model.slug, target_id=work.model.id, target_effect=ToolEffect.READ.value,
        estimate=estimate, currency=work.price.currency if work.price else work.run.currency,
        approval=_waited_for(wait),
    )  # fmt: skip


def tool_call(work: Work, name: str, arguments: dict[str, Any], wait: Step | None, problem: str) -> Action:
    """May this tool be called, or this agent be given work?"""
    asked = Label.from_json(work.run.input_label)
    origins = provenance(arguments, work.run.input, asked, work.steps, work.label, work.origins)
    shared: dict[str, Any] = {
        "arguments": arguments, "provenance": origins, "approval": _waited_for(wait), "problem": problem,
    }  # fmt: skip
    if name.startswith(DELEGATE):
        return _delegation(work, name.removeprefix(DELEGATE), shared)
    if name == HAND_OVER and name in work.builtins:
        # Whoever may not delegate to an agent may not hand over to it either.
        return _delegation(work, str(arguments.get("agent", "")), shared)
    if (own := work.builtins.get(name)) is not None:
        return _action(
            work, ActionKind.TOOL_CALL, name, target_version=builtin_hash(name), target_effect=own.effect.value,
            **shared,
        )  # fmt: skip
    tool = work.tools.get(name)
    return _action(
        work, ActionKind.TOOL_CALL, name, target_id=tool.id if tool else None,
        target_version=tool.definition_hash if tool else "",
        target_effect=tool.effect if tool else ToolEffect.EFFECT.value, estimate=tool.price if tool else 0, **shared,
    )  # fmt: skip


def call_again(work: Work, step: Step, wait: Step | None, problem: str) -> Action:
    """May a call be made that a person found undone? It stands in its own place, and not behind itself."""
    action = tool_call(work, step.name, step.input, wait, problem)
    before = {name: action.history[name] - 1 for name in ("calls", "target_calls")}
    return replace(action, step=step.number, history={**action.history, **before})


def _delegation(work: Work, slug: str, shared: dict[str, Any]) -> Action:
    agent = work.delegates.get(slug)
    version = agent.serving.content_hash if agent and agent.serving else ""
    return _action(
        work, ActionKind.DELEGATION, slug, target_id=agent.id if agent else None, target_version=version,
        target_effect=ToolEffect.IDEMPOTENT.value, **shared,
    )  # fmt: skip


def shown(verdict: Verdict, admission: Admission) -> dict[str, Any]:
    """The gate's answer as plain values, so that a journal can be read without the gate."""
    return {
        "effect": admission.effect,
        "cause": admission.cause,
        "reasons": list(admission.reasons or verdict.reasons),
        "policies": [one.as_json() for one in verdict.determinants],
        "waits_on": str(admission.waits_for) if admission.waits_for else None,
    }


def waiting_step(step: StepRow, verdict: dict[str, Any]) -> StepRow:
    """The wait for a decision on an act, in the place of the act."""
    return StepRow(
        number=step.number, kind=StepKind.DECISION_WAIT, state=StepState.WAITING, name=step.name,
        decision_id=step.decision_id, call_id=step.call_id, effect=step.effect, digest=step.digest, verdict=verdict,
        input=step.input, label=step.label, provenance=step.provenance,
    )  # fmt: skip


def _action(work: Work, kind: ActionKind, target: str, **rest: Any) -> Action:
    run = work.run
    return Action(
        decision=uuid7(), kind=kind, organisation=run.organisation_id, team=work.agent.team_id, agent=work.agent.id,
        agent_slug=work.agent.slug,
        agent_name=work.agent.name, agent_version=work.version.id, agent_version_hash=work.version.content_hash,
        principals=work.principals, session=work.session.id, run=run.id, line=work.line, step=work.next_number,
        lineage=work.definitions.lineage(work.agent.target_id), configuration=work.definitions.number,
        target=target, label=work.label, history=work.spent_on_calls(target), rehearsed=work.provider.rehearsal,
        title=run.title, requester=run.requester_id, delegation=run.delegation_id, **{"currency": run.currency, **rest},
    )  # fmt: skip


def _waited_for(wait: Step | None) -> UUID | None:
    waits_on = wait.verdict.get("waits_on") if wait else None
    return UUID(waits_on) if waits_on else None


def _cannot_start(work: Work) -> str:
    if work.agent.state != "active":
        return f"The agent {work.agent.slug} is {work.agent.state}: only an active one starts runs."
    if work.agent.sponsor is None or work.agent.sponsor.state != "active":
        return f"The agent {work.agent.slug} is ownerless: somebody must take it over first."
    return ""
