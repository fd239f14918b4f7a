"""What a model is shown of a session: exchanges stay whole, and it fits."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from agents.catalogue.messages import ModelRequest
from agents.runs import memory
from agents.runs.models import Step, StepKind, StepState
from agents.runs.window import Place, Window, asked, bound_of, exchange, rounds, scale_of
from foundation.ids import uuid7

LABEL = {"integrity": "trusted", "confidentiality": "public", "sources": []}
texts = st.text(alphabet='aé☃ \n"<', max_size=40)
over = st.sampled_from([StepState.SUCCEEDED, StepState.FAILED, StepState.REFUSED, StepState.UNKNOWN])


@st.composite
def journals(draw: Any, *, whole: bool = False) -> list[Step]:
    """The steps of a run: answers with calls, most of them done, failed attempts and waits between them."""
    steps: list[Step] = []

    def add(**values: Any) -> None:
        steps.append(Step(number=len(steps) + 1, label=LABEL, **{"state": StepState.SUCCEEDED, "input": {}, **values}))

    for turn in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            add(kind=StepKind.MODEL_CALL, state=StepState.FAILED, error="no")
        if draw(st.booleans()):
            add(kind=StepKind.MODEL_CALL, input={"purpose": "compaction"}, output={"items": [asked("summary")]})
        # Endpoints count their calls anew: the same ids come back in each answer.
        calls = [{"type": "call", "call_id": f"c{place}", "name": "t", "arguments": draw(texts)}
                 for place in range(draw(st.integers(0, 3)))]  # fmt: skip
        said = [{"type": "message", "role": "assistant", "text": draw(texts)}] if draw(st.booleans()) else []
        add(kind=StepKind.MODEL_CALL, output={"items": [*said, *calls]})
        done = len(calls) if whole else draw(st.integers(0, len(calls)))
        for call in calls[:done]:
            if draw(st.booleans()):
                add(kind=StepKind.DECISION_WAIT, call_id=call["call_id"])
            add(kind=StepKind.TOOL_CALL, call_id=call["call_id"], state=draw(over), output=draw(texts), error=str(turn))
    return steps


@st.composite
def windows(draw: Any) -> Window:
    run = uuid7()
    units = []
    for steps in draw(st.lists(journals(), max_size=4)):
        units += exchange(uuid7(), draw(texts), LABEL, steps, draw(st.sampled_from(["succeeded", "cancelled"])))
    window = Window(run=run, question=asked(draw(texts)), units=units, own=len(units), lead=draw(texts))
    window.add(rounds(run, draw(journals(whole=True))))
    window.base = draw(st.integers(0, 500))
    window.scale = draw(st.sampled_from([1.0, 0.4]))
    return window


def check_pairs(items: Sequence[Any]) -> None:
    """Each result follows its call, and each call has one."""
    waiting: list[str] = []
    for item in items:
        if item["type"] == "call":
            waiting.append(item["call_id"])
        elif item["type"] == "result":
            assert item["call_id"] in waiting, "a result without its call"
            waiting.remove(item["call_id"])
        else:
            assert item["role"] == "assistant" or not waiting, "a person speaks between a call and its result"
    assert not waiting, "a call without its result"


@given(windows(), st.integers(0, 6_000))
def test_dropping_never_orphans_and_fits(window: Window, target: int) -> None:
    before, question = window.items, window.question
    check_pairs(before)
    place = window.drop(target)
    after = window.items
    check_pairs(after)
    assert window.tokens <= target or window.start == window.last, "all that may go has gone"
    assert any(str(item.get("text", "")).endswith(question["text"]) for item in after), "the input stays"
    if len(window.units) > window.own:
        assert list(window.units[-1].items) == after[-len(window.units[-1].items) :] or not window.units[-1].items
    assert window.start >= window.own or window.start == len(window.units) or window.units[window.start].opens
    again = Window(run=window.run, question=question, units=list(window.units), own=window.own, lead=window.lead)
    if place is not None:
        again.skip(place)
    assert again.items == after, "the journal's note leads to the same"


@given(windows(), st.integers(0, 4_000), st.integers(0, 4_000))
def test_what_is_summed_up_never_orphans_either(window: Window, target: int, room: int) -> None:
    end = window.to_cover(target, room)
    assert window.start <= end <= window.last
    covered = window.units[window.start : end]
    assert sum(unit.bound for unit in covered) * window.scale <= room or not covered
    check_pairs([item for unit in covered for item in unit.items])
    if covered:
        place = window.place_before(end)
        window.skip(place)
        assert window.start == end
        check_pairs(window.items)


@given(windows(), texts, st.lists(texts, max_size=3))
def test_the_bound_is_that_of_the_gate(window: Window, instructions: str, names: list[str]) -> None:
    tools = [{"name": name, "description": name, "schema": {}} for name in names]
    window.base = bound_of(instructions) + sum(map(bound_of, tools))
    request = ModelRequest(model="m", instructions=instructions, items=window.items, tools=tools, timeout=1,
                           max_output_tokens=1)  # fmt: skip
    assert request.most_input_tokens <= window.bound
    if not window.lead:
        assert request.most_input_tokens == window.bound


@given(st.integers(0, 10**6), st.one_of(st.none(), st.integers(0, 10**6)))
def test_what_the_endpoint_counted_is_taken_with_a_margin(counted: int, reported: int | None) -> None:
    scale = scale_of(counted, reported)
    assert 0.25 <= scale <= 1
    if counted and reported:
        assert scale * counted >= min(counted, reported)


@given(st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=300), max_size=8), st.integers(200, 4_000))
def test_the_block_of_the_memory_cannot_be_left(values: dict[str, str], most: int) -> None:
    entries = {name: {"value": value, "label": LABEL} for name, value in values.items()}
    shown = memory.shown(entries, most)
    if not values:
        assert shown == ""
        return
    assert shown.count("<memory>") == 1
    assert shown.count("</memory>") == 1
    assert shown.endswith("</memory>")
    assert len(shown.split("\n")) == len(values) + 3


def test_a_place_in_a_session_that_is_not_shown_moves_nothing() -> None:
    unit = exchange(uuid7(), "a", LABEL, [], "succeeded")
    window = Window(run=uuid7(), question=asked("b"), units=unit, own=1)
    window.skip(Place(UUID(int=0), 3))
    assert window.start == 0
    window.skip(Place(window.run, 0))
    assert window.start == 1
