"""The addresses of a fork: what `remit.expect_event` opened for its former stays the former's, so it has its own.

Whatever called the address of the one would not wake the other. So the fork's copy of the step names an address of the
fork, from the beginning on: to people, and to the model. One that a shared wait has taken is left as it was.
"""

from collections.abc import Sequence
from typing import Any

from agents.runs.builtins.events import EXPECT, WAIT, address_of, name_of, new_callback, until_of
from agents.runs.models import Run, Step, StepKind, StepState
from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.instants import database_now

_TAKES = {StepState.SUCCEEDED, StepState.FAILED}


def open_anew(actor: Actor, made: Run, shared: Sequence[Step]) -> dict[str, Any]:
    """Open an address for each that the shared steps still wait for; the outputs of these steps, by their numbers."""
    outputs = {}
    for step in _untaken(shared):
        until = until_of(made, step.input, database_now())
        callback = new_callback(made, step.number, name_of(step.input), until)
        callback.save(force_insert=True)
        record(
            entry(actor, "callback.open", target_kind="callback", target_id=callback.id, target_name=callback.name,
                  run=made.id, step=step.number)
        )  # fmt: skip
        outputs[str(step.number)] = {"address": address_of(callback), "until": callback.expires_at.isoformat()}
    return outputs


def _untaken(shared: Sequence[Step]) -> list[Step]:
    """Each wait has taken the oldest address of its name."""
    found: list[Step] = []
    for step in shared:
        if step.kind != StepKind.TOOL_CALL:
            continue
        if step.name == EXPECT and step.state == StepState.SUCCEEDED:
            found.append(step)
        elif step.name == WAIT and step.state in _TAKES:
            taken = next((one for one in found if name_of(one.input) == name_of(step.input)), None)
            found = [one for one in found if one is not taken]
    return found
