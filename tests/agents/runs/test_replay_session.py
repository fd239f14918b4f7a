"""The session of a replay holds what the run had kept: it can be continued, and the replay forked, like any other."""

from typing import Any

import pytest

from agents.runs.models import Artifact, Run, RunState, Session
from agents.runs.services import start_run
from tests.agents.runs.test_fork import fork
from tests.agents.runs.test_replay import hashes, publish, replayed

TOOLS = ["remit.remember", "remit.recall", "remit.save_file", "remit.read_file"]


@pytest.fixture
def run(house: Any, say: Any, call: Any, equip: Any) -> Run:
    """It notes, saves, and reads both."""
    equip(house, *TOOLS)
    house.model.answers = {"worker": [
        call("remit.remember", name="size", value="1"), call("remit.save_file", name="f.txt", text="one"),
        call("remit.remember", name="size", value="2"), call("remit.save_file", name="f.txt", text="two"),
        call("remit.recall", name="size"), call("remit.read_file", name="f.txt"), say("Done."),
    ]}  # fmt: skip
    house.model.answers["bolder"] = house.model.answers["worker"]
    made = house.run(house.start())
    assert made.state == RunState.SUCCEEDED, made.failure
    return made


def kept(house: Any, run: Run) -> tuple[dict[str, Any], int]:
    """The working memory, and how many files there are, former ones of a name included."""
    with house.in_tenant():
        memory = Session.objects.get(pk=run.session_id).memory
        return {name: entry["value"] for name, entry in memory.items()}, Artifact.objects.filter(
            session_id=run.session_id
        ).count()


def test_it_holds_what_the_run_has_kept_and_the_runs_own_is_as_it_was(house: Any, run: Run) -> None:
    before = kept(house, run)
    again = replayed(house, run)
    assert kept(house, again) == before == ({"size": "2"}, 2)
    assert kept(house, run) == before
    assert len(hashes(house, run, again, replayed(house, again))) == 1


@pytest.mark.parametrize(("step", "expected"), [(0, ({}, 0)), (2, ({"size": "1"}, 0)), (4, ({"size": "1"}, 1)),
                                                (6, ({"size": "2"}, 1)), (8, ({"size": "2"}, 2))])  # fmt: skip
def test_a_fork_of_it_has_what_was_kept_up_to_its_step(
    house: Any, run: Run, step: int, expected: tuple[dict[str, str], int]
) -> None:
    again = replayed(house, run)
    assert kept(house, fork(house, again, step)) == expected
    made = house.run(fork(house, again, step))
    assert [one.state for one in house.steps(made)] == ["succeeded"] * 13, "what it noted and saved is found"


def test_whoever_goes_on_in_it_finds_what_was_kept(house: Any, say: Any, call: Any, run: Run) -> None:
    again = replayed(house, run)
    house.model.answer = lambda request: (
        say("Two.") if request["input"][-1].get("type") == "function_call_output" else call("remit.recall", name="size")
    )
    with house.in_tenant():
        session = Session.objects.select_related("agent").get(pk=again.session_id)
        later = start_run(actor=house.owner, agent=session.agent, title="t", input="How large?", session=session)
    later = house.run(later)
    assert later.state == RunState.SUCCEEDED, later.failure
    assert house.steps(later)[1].output == {"name": "size", "value": "2"}


def test_another_versions_replay_keeps_what_it_was_let_keep(house: Any, run: Run) -> None:
    version = publish(house, "bolder", tools=TOOLS)
    again = replayed(house, run, version)
    assert again.state == RunState.SUCCEEDED, again.failure
    assert kept(house, again) == kept(house, run)
