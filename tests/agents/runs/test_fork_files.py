"""A fork has the files that the former's session had behind its step, and none that was saved later."""

from collections.abc import Mapping
from typing import Any

import pytest

from agents.runs import files
from agents.runs.control import replay_run
from agents.runs.models import Run, RunState, Session
from agents.runs.services import start_run
from agents.runs.sessions import save_artifact
from agents.runs.traces import compare
from tests.agents.runs.test_fork import fork


def files_of(house: Any, run: Run) -> Mapping[str, str]:
    """The newest files of a run's session."""
    with house.in_tenant():
        found = files.newest(run.session_id)
        return {name: files.content_of(one).decode() for name, one in found.items()}


@pytest.fixture
def saved(house: Any, say: Any, call: Any, equip: Any) -> Run:
    """A run that saves at steps 2, 4 and 6; a person adds a file while its model is asked for step 5."""
    equip(house, "remit.save_file")
    house.model.answers["worker"] = [
        call("remit.save_file", name="a.txt", text="first"), call("remit.save_file", name="b.txt", text="b"),
        call("remit.save_file", name="a.txt", text="second"), say("Done."),
    ]  # fmt: skip
    real, run = house.model.answer, house.start()

    def answer(request: Any) -> Any:
        if sum(1 for item in request["input"] if item.get("type") == "function_call_output") == 2:
            with house.in_tenant():
                session = Session.objects.get(pk=run.session_id)
                save_artifact(actor=house.owner, session=session, name="c.txt", media_type="text/plain", content=b"c")
        return real(request)

    house.model.answer = answer
    ended = house.run(run)
    house.model.answer = real
    assert ended.state == RunState.SUCCEEDED, ended.failure
    return ended


EXPECTED: list[dict[str, str]] = [
    {}, {}, {"a.txt": "first"}, {"a.txt": "first"}, {"a.txt": "first", "b.txt": "b"},
    {"a.txt": "first", "b.txt": "b", "c.txt": "c"}, {"a.txt": "second", "b.txt": "b", "c.txt": "c"},
    {"a.txt": "second", "b.txt": "b", "c.txt": "c"},
]  # fmt: skip


def test_a_fork_has_what_was_saved_up_to_its_step(house: Any, saved: Run) -> None:
    assert [files_of(house, fork(house, saved, step)) for step in range(8)] == EXPECTED
    assert files_of(house, saved) == EXPECTED[-1]


def test_so_has_a_fork_of_a_fork(house: Any, saved: Run) -> None:
    made = fork(house, saved, 7)
    # What a person had added was in the fork's session from its beginning.
    expected = [{**one, "c.txt": "c"} for one in EXPECTED]
    assert [files_of(house, fork(house, made, step)) for step in range(8)] == expected


def test_a_fork_saves_files_of_its_own(house: Any, saved: Run) -> None:
    made = house.run(fork(house, saved, 3))
    assert made.state == RunState.SUCCEEDED, made.failure
    assert files_of(house, made) == {"a.txt": "second", "b.txt": "b"}
    assert files_of(house, fork(house, made, 4)) == {"a.txt": "first", "b.txt": "b"}
    assert files_of(house, fork(house, made, 1)) == {}


def test_a_later_turn_begins_with_what_former_ones_saved(house: Any, saved: Run, say: Any, call: Any) -> None:
    house.model.answers["worker"] = [call("remit.save_file", name="d.txt", text="d"), say("Done.")]
    house.model.answer = lambda request: house.model.answers["worker"]["d.txt" in str(request["input"])]
    with house.in_tenant():
        session = Session.objects.get(pk=saved.session_id)
        later = start_run(actor=house.owner, agent=house.agent, title="t", input="And then?", session=session)
    later = house.run(later)
    assert files_of(house, later) == {**EXPECTED[-1], "d.txt": "d"}
    assert files_of(house, fork(house, later, 1)) == EXPECTED[-1]
    assert files_of(house, fork(house, saved, 2)) == EXPECTED[2]
    again = fork(house, later, 2)
    assert files_of(house, fork(house, again, 0)) == EXPECTED[-1], "what was there before the run stays"


def test_a_replay_begins_with_none_of_them_and_saves_those_of_the_run(house: Any, saved: Run) -> None:
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=saved)
    assert files_of(house, made) == {}
    made = house.run(made)
    assert files_of(house, made) == {"a.txt": "second", "b.txt": "b"}
    assert files_of(house, saved) == EXPECTED[-1], "the session of the run is as it was"


@pytest.mark.parametrize("text", ["first", "other"])
def test_a_file_that_is_saved_again_is_compared_by_its_content(
    house: Any, say: Any, call: Any, equip: Any, text: str
) -> None:
    equip(house, "remit.save_file")
    house.model.answers["worker"] = [call("remit.save_file", name="a.txt", text="first"), say("Done.")]
    run = house.run(house.start())
    house.model.answers["worker"] = [call("remit.save_file", name="a.txt", text=text), say("Done.")]
    made = house.run(fork(house, run, 0))
    with house.in_tenant():
        told = compare(*Run.objects.select_related("version").filter(pk__in=[run.pk, made.pk]).order_by("id"))
    saved = told.pairs[1]
    assert saved.one is not None
    assert saved.other is not None
    assert saved.one.output["file"] != saved.other.output["file"]
    assert told.is_same == (text == "first")
    assert ("output" in saved.differs) == (text != "first")
