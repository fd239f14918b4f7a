"""While somebody changes what an organisation has defined all the while, as a directory does that sends its people,
nothing is refused for that: a run waits for a moment in which it can be judged.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from agents.gate import Action, ActionKind, Verdict, get_gate
from agents.runs.models import Run, RunState
from agents.runs.services import cancel_run
from governance.policies.models import PolicyDecision
from tests.workers import superuser

CHANGED = "UPDATE organisations_configuration SET number = number + 1 WHERE organisation_id = %s"
DUE = "UPDATE runs_run SET wake_at = clock_timestamp() WHERE id = %s"


class Motion:
    """Changes the definitions each time after an act of the kind was judged, and before it is committed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kind: ActionKind | None = None
        self.judged = 0
        gate = type(get_gate())
        prepare = gate.prepare

        def prepared(asked: Any, actions: Sequence[Action]) -> list[Verdict]:
            verdicts: list[Verdict] = prepare(asked, actions)
            if any(one.kind is self.kind for one in actions):
                self.judged += 1
                with superuser() as database:
                    database.execute(CHANGED, [actions[0].organisation])
            return verdicts

        monkeypatch.setattr(gate, "prepare", prepared)


@pytest.fixture
def motion(monkeypatch: pytest.MonkeyPatch) -> Motion:
    return Motion(monkeypatch)


def go_on(house: Any, run: Run) -> Run:
    with superuser() as database:
        database.execute(DUE, [run.id])
    found: Run = house.run(run)
    return found


@pytest.mark.slow
def test_a_start_waits_until_they_stand_still(make_house: Any, say: Any, motion: Motion) -> None:
    house = make_house()
    house.model.answers = {"worker": [say("Done.")]}
    motion.kind = ActionKind.RUN_START
    run = house.run(house.start())
    for _ in range(2):
        assert (run.state, run.waits_for, run.failure) == (RunState.WAITING, "timer", "")
        assert run.wake_at is not None
        run = go_on(house, run)
    assert motion.judged == 9, "each time it is tried anew at once, and not for ever"
    motion.kind = None
    run = go_on(house, run)
    assert (run.state, run.output) == (RunState.SUCCEEDED, {"text": "Done."}), run.failure


def test_one_that_is_cancelled_meanwhile_ends(make_house: Any, say: Any, motion: Motion) -> None:
    house = make_house()
    house.model.answers = {"worker": [say("Done.")]}
    motion.kind = ActionKind.RUN_START
    run = house.run(house.start())
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run, reason="Enough.")
    assert house.run(run).state == RunState.CANCELLED


def test_a_call_is_not_refused_and_is_made_once(
    make_house: Any, say: Any, call: Any, equip: Any, motion: Motion
) -> None:
    house = make_house()
    equip(house, "witness.effect")
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    motion.kind = ActionKind.TOOL_CALL
    run = house.run(house.start())
    assert (run.state, run.waits_for, house.lines()) == (RunState.WAITING, "timer", [])
    motion.kind = None
    run = go_on(house, run)
    assert (run.state, run.output) == (RunState.SUCCEEDED, {"text": "Done."}), run.failure
    assert len(house.lines()) == 1
    with house.in_tenant():
        assert not PolicyDecision.objects.filter(run_id=run.id, effect="deny").exists()
