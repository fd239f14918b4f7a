"""`remit.remember` and `remit.recall`: the agent's working memory, kept with the session."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.labels import Label
from agents.runs import memory
from agents.runs.builtins.port import Done
from agents.runs.models import StepState
from agents.tools.port import ToolEffect
from foundation.batches import Cursor
from foundation.inputs import MOST_LEVELS, is_too_deep

if TYPE_CHECKING:
    from agents.runs.journal import StepRow
    from agents.runs.models import Step
    from agents.runs.work import Work

_TOO_DEEP = (
    f"What is noted under {{}} has more than {MOST_LEVELS} levels of lists and objects in one another: it cannot be "
    "read here. Note it anew, or forget it."
)


class Remember:
    """Note a value under a name. What is noted is as doubtful and as secret as all that the session has seen."""

    name = "remit.remember"
    description = (
        "Note a value under a short name in the working memory of this session. It is shown to you again in later "
        "turns. Noting it anew replaces it; an empty value forgets it."
    )
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "A short name.", "minLength": 1, "maxLength": 80},
            "value": {"type": "string", "description": "What to note; empty to forget it."},
        },
        "required": ["name", "value"],
        "additionalProperties": False,
    }
    effect = ToolEffect.IDEMPOTENT

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - the port's
        """Names and values that are too long; what is full is known when it is written."""
        return memory.problem_of({}, arguments["name"], arguments["value"])

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Done:
        """Write it into the session, in the transaction of the step."""
        name, value = step.input["name"], step.input["value"]
        known = memory.locked(cursor, work.session.id)
        former, label = known.get(name), Label.from_json(step.label)
        if value == "":
            known.pop(name, None)
            memory.forget(cursor, work.session.id, name)
        elif problem := memory.problem_of(known, name, value):
            return Done(state=StepState.FAILED, error=problem, label=label)
        else:
            known[name] = {"value": value, "label": dict(step.label)}
            memory.write(cursor, work.session.id, name, known[name])
        work.session.memory = known
        if former is None or not memory.is_given(former) or is_too_deep(former.get("value")):
            return Done(output={"noted": name}, label=label)
        # No journal has what people and programs note: a fork from before this step finds it here.
        label = label.join(Label.from_json(former.get("label") or {}))
        return Done(output={"noted": name, "replaced": former}, label=label)

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done:
        """It never waits."""
        raise NotImplementedError(self.name)


class Recall:
    """Read what is noted under a name, or the names."""

    name = "remit.recall"
    description = "Read what is noted under a name in the working memory of this session; without a name, all names."
    schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "The name; leave it out to list the names."}},
        "additionalProperties": False,
    }
    effect = ToolEffect.READ

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - the port's
        """None: what is not there is told when it is read."""
        return ""

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Done:
        """The value, with the label that it was noted with."""
        known = memory.locked(cursor, work.session.id)
        name = step.input.get("name", "")
        if not name:
            return Done(output={"names": sorted(known)}, label=memory.label_of(known))
        if name not in known:
            error = f"Nothing is noted under {name}. Names: {', '.join(sorted(known)) or 'none'}."
            return Done(state=StepState.FAILED, error=error, label=memory.label_of(known))
        label, value = Label.from_json(known[name].get("label") or {}), known[name].get("value")
        if is_too_deep(value):
            # Noted before there was a limit: what writes the journal does not bear it.
            return Done(state=StepState.FAILED, error=_TOO_DEEP.format(name), label=label)
        return Done(output={"name": name, "value": value}, label=label)

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done:
        """It never waits."""
        raise NotImplementedError(self.name)
