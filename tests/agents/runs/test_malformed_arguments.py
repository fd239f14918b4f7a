"""No arguments of a model take the engine down: what cannot be checked is refused, and the model reads why."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.runs.builtins.asking import AskPerson
from agents.runs.builtins.port import Builtin, builtins
from agents.runs.fitting import mismatch
from agents.runs.models import RunState, StepState
from agents.runs.question_forms import form_of
from agents.runs.questions import form_problem
from agents.runs.services import start_run
from agents.runs.sessions import open_session, set_memory
from agents.runs.traces import trace_hash
from agents.runs.work import Work
from agents.tools.port import ToolOutput
from foundation.errors import InvalidError
from foundation.inputs import MOST_LEVELS
from tests import houses

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MOMENTS = st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-03-01", "T", "24:00Z"])
NAMES = st.sampled_from(["a", "b", ""])
FIELD = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "number", "integer", "boolean"]) | JSON},
    optional=dict.fromkeys(
        ["title", "description", "enum", "default", "minimum", "maximum", "minLength", "maxLength", "format"],
        JSON | st.lists(st.text(max_size=3), max_size=3),
    ),
)
FORM = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(NAMES, FIELD | JSON, max_size=2) | JSON},
    optional={
        "required": st.lists(NAMES | JSON, max_size=2) | JSON,
        "additionalProperties": JSON, "title": JSON, "description": JSON,
    },
)  # fmt: skip
WORK = cast(
    "Work",
    SimpleNamespace(
        run=SimpleNamespace(id=None, parent_id=None, depth=0), delegates={}, steps=[],
        version=SimpleNamespace(max_children=1), player=None,
    ),
)  # fmt: skip


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values for a property of a built-in's schema, and some that do not fit it."""
    least, most = schema.get("minimum", 0), schema.get("maximum", 10**9)
    of_type: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(max_size=100) | MOMENTS, "object": FORM | JSON,
        "integer": st.integers(least, most) | st.integers(least, most).map(float),
    }  # fmt: skip
    return of_type[schema["type"]] | JSON


def arguments_of(tool: Builtin) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a built-in; mostly with all that must be there."""
    properties = {name: fitting(one) for name, one in tool.schema["properties"].items()}
    required = {name: properties.pop(name) for name in tool.schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=properties)


@pytest.mark.parametrize("tool", builtins(), ids=lambda tool: tool.name)
@given(data=st.data())
def test_no_built_in_raises_at_what_it_is_asked(tool: Builtin, data: st.DataObject) -> None:
    arguments = data.draw(arguments_of(tool))
    if not mismatch(tool.schema, arguments):
        assert isinstance(tool.problem(WORK, arguments), str)


@given(form=FORM)
def test_a_form_that_is_accepted_can_be_shown(form: dict[str, Any]) -> None:
    if not form_problem(form):
        assert list(form_of(form).fields)


def asking(**form: Any) -> tuple[str, dict[str, Any]]:
    properties = {"a": {"type": "string", **form.pop("field", {})}}
    return "remit.ask_person", {"question": "?", "form": {"type": "object", "properties": properties, **form}}


def nested(levels: int) -> Any:
    """So many lists in one another."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        asking(required=True), asking(required=[["a"]]), asking(required=[{}]), asking(additionalProperties=3),
        asking(field={"enum": "x"}), asking(field={"enum": [["x"]]}), asking(field={"default": nested(400)}),
        ("remit.wait", {"until": "0001-01-01T00:00:00+23:59"}), ("remit.wait", {"until": "9999-12-31T23:59:59-23:59"}),
        ("witness.read", {"note": nested(MOST_LEVELS)}), ("witness.read", {"note": nested(400)}),
        ("witness.unheard", {"note": nested(900)}),
    ],
)  # fmt: skip
def test_the_model_is_told_and_the_run_goes_on(
    house: Any, say: Any, call: Any, equip: Any, name: str, arguments: Any
) -> None:
    equip(house, "remit.ask_person", "remit.wait", "witness.read")
    asked = call(name)
    asked[0]["arguments"] = json.dumps(arguments)
    house.model.answers["worker"] = [asked, say("Sorry.")]
    run = house.run(house.start())
    assert (run.state, run.crashes) == (RunState.SUCCEEDED, 0), run.failure
    assert [step.state for step in house.steps(run)][1] in {StepState.REFUSED, StepState.SUCCEEDED}
    assert len(house.model.asked) == 2, "it is asked once for each answer"
    assert house.lines() == []


def test_a_fault_of_a_built_in_is_a_refusal(house: Any, say: Any, call: Any, equip: Any, monkeypatch: Any) -> None:
    def fault(*_: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(AskPerson, "problem", fault)
    equip(house, "remit.ask_person")
    house.model.answers["worker"] = [call("remit.ask_person", question="?"), say("Sorry.")]
    run = house.run(house.start())
    assert (run.state, run.crashes) == (RunState.SUCCEEDED, 0), run.failure
    assert "cannot be checked (ZeroDivisionError)" in house.steps(run)[1].error
    assert "cannot be checked" in house.model.asked[-1]["input"][-1]["output"]


@pytest.mark.parametrize("levels", [MOST_LEVELS + 1, 252, 400])
def test_an_answer_of_a_tool_that_is_nested_too_deep_does_not_undo_the_call(
    house: Any, say: Any, call: Any, monkeypatch: Any, levels: int
) -> None:
    real = houses.WitnessKind.call

    def deep(self: Any, request: Any) -> ToolOutput:
        real(self, request)
        return ToolOutput(nested(levels))

    monkeypatch.setattr(houses.WitnessKind, "call", deep)
    house.model.answers["worker"] = [call("witness.effect", note="a"), say("Done.")]
    run = house.run(house.start())
    assert (run.state, run.crashes) == (RunState.SUCCEEDED, 0), run.failure
    assert "too many lists" in house.steps(run)[1].output
    assert [line[2] for line in house.lines()] == ["a"]


@pytest.mark.parametrize("levels", [MOST_LEVELS, 400, 900])
def test_what_people_hand_in_is_not_nested_too_deep(house: Any, say: Any, call: Any, equip: Any, levels: int) -> None:
    equip(house, "remit.recall")
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
        with pytest.raises(InvalidError, match="100 levels"):
            set_memory(actor=house.owner, session=session, name="deep", value=nested(levels + 1))
        with pytest.raises(InvalidError, match="100 levels"):
            start_run(actor=house.owner, agent=house.agent, title="", input={"deep": nested(levels)})
        set_memory(actor=house.owner, session=session, name="deep", value=nested(MOST_LEVELS))
        run = start_run(actor=house.owner, agent=house.agent, title="", session=session,
                        input={"deep": nested(MOST_LEVELS - 1)})  # fmt: skip
    house.model.answers["worker"] = [call("remit.recall", name="deep"), say("Found.")]
    run = house.run(run)
    assert (run.state, run.crashes) == (RunState.SUCCEEDED, 0), run.failure
    with house.in_tenant():
        assert trace_hash(run)
