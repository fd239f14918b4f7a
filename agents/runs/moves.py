"""What a run does next, from its journal alone: pure, so that any worker comes to the same answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.runs.models import Step, StepKind, StepState
from agents.runs.window import is_compaction

DELEGATE = "delegate."  # and the slug of an agent: the name of a call that gives it work
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
    """The next move of a run: calls in order, but that delegations one after the other begin before any is awaited."""
    for step in steps:
        if step.state == StepState.INTENDED:
            return Recover(step)
        if step.state == StepState.UNKNOWN:
            return Await(step)
    wait = next((step for step in steps if step.kind not in _CALLS and step.state == StepState.WAITING), None)
    asked = (step for step in reversed(steps) if step.kind == StepKind.MODEL_CALL and not is_compaction(step))
    last = next(asked, None)
    if last is None or (wait is not None and not wait.call_id):
        return AskModel(wait=wait)
    if last.state == StepState.FAILED:
        return AskModel(attempt=next_attempt(last))
    if last.state == StepState.REFUSED:
        return Stop(f"Stopped: {last.error}")
    return _after(last, steps, wait)


def _after(last: Step, steps: Sequence[Step], wait: Step | None) -> Move:
    """What follows from the model's last answer."""
    items = (last.output or {}).get("items", [])
    begun = [step for step in steps if step.kind in _CALLS and step.state == StepState.WAITING]
    done = {step.call_id for step in steps if step.kind in _CALLS and step.number > last.number}
    item = next((one for one in items if one["type"] == "call" and one["call_id"] not in done), None)
    if begun and not (item is not None and _is_delegation(item) and begun[0].kind == StepKind.DELEGATION):
        return Await(begun[0])
    if item is not None:
        return DoCall(item, wait=wait if wait is not None and wait.call_id == item["call_id"] else None)
    if any(one["type"] == "call" for one in items):
        return AskModel()
    return Finish("\n".join(one["text"] for one in items if one["type"] == "message"))


def next_attempt(failed: Step) -> int:
    """Which try of its model a run makes next: that it was busy counts as none, nor does a try that a fork shares."""
    return 1 if "copied" in failed.usage else failed.attempt + ("busy" not in failed.usage)


def is_wanted_again(step: Step) -> bool:
    """Whether a person said that it did not happen and is to be done, and nobody has done it since."""
    return step.state == StepState.INTENDED and step.usage.get("again") == step.attempt


def _is_delegation(item: dict[str, Any]) -> bool:
    return str(item["name"]).startswith(DELEGATE)
