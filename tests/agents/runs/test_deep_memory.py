"""A value that was noted before there was a limit of levels, and is nested deeper: it is told, and stops nobody."""

import json
from typing import Any

import pytest

from agents.runs.models import Run, RunState, StepState
from agents.runs.services import start_run
from agents.runs.sessions import forget_memory, open_session, set_memory
from foundation.inputs import MOST_LEVELS
from tests.agents.runs.test_deep_values import nested
from tests.workers import superuser


def planted(house: Any, levels: int) -> Run:
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
        set_memory(actor=house.owner, session=session, name="flat", value="Level.")
    with superuser() as database:
        database.execute(
            "UPDATE runs_session SET memory = memory || jsonb_build_object('deep', jsonb_build_object("
            "'value', %s::jsonb, 'label', memory -> 'flat' -> 'label')) WHERE id = %s",
            [json.dumps(nested(levels)), session.pk],
        )
    with house.in_tenant():
        return start_run(actor=house.owner, agent=house.agent, title="t", input="Recall.", session=session)


@pytest.mark.parametrize("levels", [MOST_LEVELS + 1, 300, 800])
def test_recalling_it_is_told_and_all_else_goes_on(house: Any, say: Any, call: Any, equip: Any, levels: int) -> None:
    equip(house, "remit.recall", "remit.remember")
    run = planted(house, levels)
    house.model.answers = {"worker": [
        call("remit.recall", name="deep"), call("remit.recall", name="flat"),
        call("remit.remember", name="more", value="There is room."), say("Done."),
    ]}  # fmt: skip
    run = house.run(run)
    assert (run.state, run.crashes) == (RunState.SUCCEEDED, 0), run.failure
    first, second, third = [step for step in house.steps(run) if step.kind == "tool_call"]
    assert first.state == StepState.FAILED
    assert first.error == (
        f"What is noted under deep has more than {MOST_LEVELS} levels of lists and objects in one another: "
        "it cannot be read here. Note it anew, or forget it."
    )
    assert second.output == {"name": "flat", "value": "Level."}
    assert third.output == {"noted": "more"}
    shown = json.dumps(house.model.asked[-1]["input"])
    assert "(not shown)" in shown
    assert "[[[[" not in shown


def test_one_as_deep_as_may_be_is_recalled(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.recall")
    run = planted(house, MOST_LEVELS)
    house.model.answers = {"worker": [call("remit.recall", name="deep"), say("Done.")]}
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED
    assert house.steps(run)[1].output == {"name": "deep", "value": nested(MOST_LEVELS)}


def test_people_may_forget_it(house: Any) -> None:
    run = planted(house, 800)
    with house.in_tenant():
        forget_memory(actor=house.owner, session=run.session, name="deep")
        run.session.refresh_from_db()
        assert set(run.session.memory) == {"flat"}
