"""No value that comes in is nested deeper than what reads and writes journals bears: it is refused at the door."""

import json
from typing import Any

import pytest

from agents.runs.control import fork_run
from agents.runs.models import Run, RunState, Session
from agents.runs.services import start_run
from agents.runs.sessions import open_session, set_memory
from foundation.errors import InvalidError
from foundation.inputs import MOST_LEVELS
from tests.agents.runs.test_events import opened, phone, secret_of
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures

DEPTHS = [MOST_LEVELS + 1, 300, 900, 100_000]


def nested(levels: int) -> Any:
    """So many lists in one another."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("levels", DEPTHS)
def test_nothing_that_people_give_is_nested_so_deep(house: Any, levels: int) -> None:
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
        run = start_run(actor=house.owner, agent=house.agent, title="t", input={"a": nested(MOST_LEVELS - 1)})
        for act in (
            lambda: start_run(actor=house.owner, agent=house.agent, title="t", input={"a": nested(levels)}),
            lambda: fork_run(actor=house.owner, run=run, step=0, input={"a": nested(levels)}),
            lambda: set_memory(actor=house.owner, session=session, name="a", value=nested(levels)),
        ):
            with pytest.raises(InvalidError, match="levels"):
                act()


@pytest.mark.parametrize("levels", [300, 400, 100_000])
def test_what_calls_from_outside_is_not_nested_so_deep_either(
    house: Any, say: Any, call: Any, equip: Any, levels: int
) -> None:
    equip(house, "remit.wait_for_event")
    house.model.answers = {"worker": [call("remit.wait_for_event", name="parcel"), say("It came.")]}
    run = house.run(house.start())
    callback = opened(house, run)
    secret = secret_of(house, callback)
    with pytest.raises(InvalidError, match=r"JSON|levels"):
        phone(house, callback, secret, b"[" * levels + b"]" * levels)
    phone(house, callback, secret, b"[" * MOST_LEVELS + b"]" * MOST_LEVELS)
    run = house.run(run)
    assert (run.state, run.crashes) == (RunState.SUCCEEDED, 0), run.failure


@pytest.mark.parametrize("text", ["[" * 100_000, json.dumps({"a": 1})[:-1], "[" * 4_000])
def test_what_looks_like_json_and_is_none_is_text(world: World, visit: Visit, text: str) -> None:
    path = f"/sessions/{world.things['sessions']}/memory/new"
    answer = visit(path, "operator", form={"name": "a", "value": text})
    assert answer.status_code == (303 if len(text) < 8_000 else 422)
    memory = Session.objects.using("engine").get(pk=world.things["sessions"]).memory
    assert memory.get("a", {}).get("value") == (text if len(text) < 8_000 else None)


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "null", "5"])
def test_another_input_in_json_is_an_object(world: World, visit: Visit, text: str) -> None:
    run = world.things["runs"]
    Run.objects.using("engine").filter(pk=run).update(input={"a": 1})
    form = {"step": "0", "version": "1", "input": text}
    answer = visit(f"/runs/{run}/fork", "operator", form=form)
    assert answer.status_code == 422
    assert "write a JSON object" in answer.content.decode()
