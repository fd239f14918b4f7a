"""What a run does next, from its journal alone: pure, so that any worker comes to the same answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.runs.models import Step, StepKind, StepState
from agents.runs.window import is_compaction

_CALLS = {StepKind.TOOL_CALL, StepKind.DELEGATION}
_OVER = {StepState.SUCCEEDED, StepState.FAILED, StepState.REFUSED}


@dataclass(frozen=True, slots=True)
class AskModel:
    """Call the model; `wait` is the decision that was waited for, `attempt` counts from 1."""

    attempt: int = 1
    wait: Step | None = None


@dataclass(frozen=True, slots=True)
class DoCall:
    """Do one of the calls that the model asked for; `wait` is the decision that was waited for."""

    call: dict[str, Any]
    wait: Step | None = None


@dataclass(frozen=True, slots=True)
class Recover:
    """A step has an intent and no outcome: its worker died."""

    step: Step


@dataclass(frozen=True, slots=True)
class Await:
    """A step waits, or nobody knows its outcome."""

    step: Step


@dataclass(frozen=True, slots=True)
class Finish:
    """The model gave its last word."""

    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The model may not be called: the run ends without an answer."""

    reason: str


Move = AskModel | DoCall | Recover | Await | Finish | Stop


def next_move(steps: Sequence[Step]) -> Move:
    """The next move of a run."""
    for step in steps:
        if step.state == StepState.INTENDED:
            return Recover(step)
        if step.state == StepState.UNKNOWN or (step.kind in _CALLS and step.state == StepState.WAITING):
            return Await(step)
    wait = next((step for step in steps if step.state == StepState.WAITING), None)
    asked = (step for step in reversed(steps) if step.kind == StepKind.MODEL_CALL and not is_compaction(step))
    last = next(asked, None)
    if last is None or (wait is not None and not wait.call_id):
        return AskModel(wait=wait)
    if last.state == StepState.FAILED:
        return AskModel(attempt=last.attempt + 1)
    if last.state == StepState.REFUSED:
        return Stop(f"Stopped: {last.error}")
    items = (last.output or {}).get("items", [])
    done = {step.call_id for step in steps if step.kind in _CALLS and step.state in _OVER and step.number > last.number}
    for item in items:
        if item["type"] == "call" and item["call_id"] not in done:
            mine = wait if wait is not None and wait.call_id == item["call_id"] else None
            return DoCall(item, wait=mine)
    if any(item["type"] == "call" for item in items):
        return AskModel()
    return Finish("\n".join(item["text"] for item in items if item["type"] == "message"))
