"""The port of a built-in tool: one whose work is rows in our own database, or a wait.

A built-in does its work inside the transaction that writes its intent, after the gate has admitted it there. So the
decision, the work and the outcome stand together or not at all, and nothing has to be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from django.utils.module_loading import import_string

from agents.labels import Label
from agents.runs.models import RunState, StepState, Wait
from agents.tools.builtins import BUILTIN_TOOLS
from agents.tools.definitions import definition_hash
from agents.tools.port import ToolDefinition, ToolEffect
from foundation.batches import Cursor

if TYPE_CHECKING:
    from agents.runs.journal import StepRow
    from agents.runs.models import Step
    from agents.runs.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It is done. `label` is what is known of the output's origin: it joins the session's.

    None is for an output made of the model's own words: it is then as doubtful as all that the model has seen.
    """

    output: Any = None
    label: Label | None = None
    state: StepState = StepState.SUCCEEDED
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The run waits, at most until `until`. `output` is what is shown of the step meanwhile."""

    waits_for: Wait
    waits_on: UUID | None = None
    until: datetime | None = None
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """The run ends with it, in the same transaction. `bells` are the runs that are ready because of it."""

    output: Mapping[str, Any]
    bells: tuple[UUID, ...] = ()
    state: RunState = RunState.SUCCEEDED


Result = Done | Waiting | Over


class Builtin(Protocol):
    """A built-in tool. `cursor` is of the engine's role, inside the transaction: use it, or the ORM on `ENGINE`.

    Rows of its own are locked before the run's row: the run is locked last, when the transaction is written.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    effect: ToolEffect

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:
        """What is wrong with arguments that fit the schema, in a sentence for the model; empty if nothing."""

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Result:
        """Do it, or begin to wait. The step has its number, its input and its label."""

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done | Waiting:
        """Whether a wait is over. Only what returned `Waiting` is asked."""


def is_builtin(name: str) -> bool:
    """Whether a tool of this name is one of ours."""
    return name in BUILTIN_TOOLS


@cache
def builtin(name: str) -> Builtin:
    """The built-in of this name. Raises KeyError."""
    found: Builtin = import_string(BUILTIN_TOOLS[name])()
    return found


@cache
def builtin_hash(name: str) -> str:
    """The hash of its definition: what an approval of its call is bound to."""
    found = builtin(name)
    return definition_hash(
        ToolDefinition(name=name, description=found.description, schema=found.schema, effect=found.effect)
    )


def builtins() -> list[Builtin]:
    """All of them."""
    return [builtin(name) for name in BUILTIN_TOOLS]
