"""Steps as pages show them: whose work it is, in which state, under which name."""

import json
from typing import Any

from agents.runs.models import Step, StepKind, StepState
from foundation.access.withheld import Withheld
from foundation.web.components.steps import StepLook, step_look

LONGEST = 6_000  # characters of one body beside others; the step's own page has the whole
KINDS = {
    StepKind.MODEL_CALL: "model",
    StepKind.TOOL_CALL: "tool",
    StepKind.DELEGATION: "agent",
    StepKind.DECISION_WAIT: "wait",
}
WAITING_TOOLS = {"remit.ask_person": "wait", "remit.wait": "timer", "remit.wait_for_event": "event"}
WAITED = frozenset({StepState.WAITING, StepState.SUCCEEDED, StepState.FAILED})


def kind_of(step: Step) -> str:
    """Who worked: model, tool, agent or guard; or what it waited for: wait (a person), timer or event."""
    if step.name in WAITING_TOOLS and step.state in WAITED:
        return WAITING_TOOLS[step.name]
    return KINDS.get(StepKind(step.kind), "guard") if step.kind in StepKind.values else "guard"


def state_of(step: Step) -> str:
    """As pages say it: a refusal by a policy is a denial, an intent is running."""
    if step.state == StepState.REFUSED and step.verdict.get("effect") == "deny":
        return "denied"
    return "running" if step.state == StepState.INTENDED else str(step.state)


def look_of(step: Step) -> StepLook:
    """Its icon and colour."""
    return step_look(kind_of(step), state_of(step))


def name_of(step: Step) -> str:
    """What it is called where the model's own name says nothing."""
    return "Model call" if step.kind == StepKind.MODEL_CALL else str(step.name)


def shortened(value: Any) -> Any:
    """A body as it is, or the beginning of its text if it is long; what is withheld stays so."""
    if isinstance(value, Withheld):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= LONGEST else f"{text[:LONGEST]} …"
