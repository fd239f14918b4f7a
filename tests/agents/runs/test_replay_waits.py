"""Replays and forks of runs that asked, waited, remembered, handed over, and worked side by side."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.runs.control import fork_run, replay_run
from agents.runs.engine import advance
from agents.runs.models import Artifact, InputRequest, Run, RunState, Session, Step
from agents.runs.services import start_run
from agents.runs.sessions import open_session, save_artifact, set_memory
from agents.runs.waits import answer_question
from foundation.errors import ConflictError
from tests.agents.runs.test_replay import hashes, publish, replayed

PAST = "2020-01-01T00:00Z"
FORM = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}


def forked(house: Any, run: Run, step: int) -> Run:
    with house.in_tenant():
        return fork_run(actor=house.owner, run=Run.objects.get(pk=run.pk), step=step)


def session_of(house: Any, run: Run) -> Session:
    with house.in_tenant():
        return Session.objects.get(pk=run.session_id)


def test_an_answer_of_a_person_is_played(house: Any, say: Any, call: Any, equip: Callable[..., None]) -> None:
    equip(house, "remit.ask_person")
    house.model.answers = {"worker": [call("remit.ask_person", question="How much?", form=FORM), say("Thank you.")]}
    run = house.run(house.start())
    with house.in_tenant():
        answer_question(actor=house.approver, request=InputRequest.objects.get(run=run), answer={"amount": 20})
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    again = replayed(house, run)
    assert (again.state, len(hashes(house, run, again))) == (RunState.SUCCEEDED, 1), again.failure
    assert house.steps(again)[1].output["answer"] == {"amount": 20}
    with house.in_tenant():
        assert InputRequest.objects.filter(run=again).count() == 0, "nobody is asked"


def test_a_wait_is_over_at_once(house: Any, say: Any, call: Any, equip: Callable[..., None]) -> None:
    equip(house, "remit.wait")
    house.model.answers = {"worker": [call("remit.wait", seconds=3000), say("Done.")]}
    run = house.run(house.start())
    assert run.waits_for == "timer", (run.state, run.failure)
    with house.in_tenant():
        Step.objects.filter(run_id=run.pk, number=2).update(output={"until": "2020-01-01T00:00:00+00:00"})
        Run.objects.filter(pk=run.pk).update(wake_at=PAST)
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    again = replayed(house, run)
    assert (again.state, len(hashes(house, run, again))) == (RunState.SUCCEEDED, 1), again.failure


def test_another_agent_takes_over_in_the_recording_only(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Callable[..., None]
) -> None:
    add_agent("second", [])
    equip(house, "remit.hand_over", delegates=["second"])
    house.model.answers = {"worker": [call("remit.hand_over", agent="second", note="Go on."), say("never said")],
                           "second": [say("I went on.")]}  # fmt: skip
    run = house.run(house.start())
    again = replayed(house, run)
    assert (again.state, again.output, len(hashes(house, run, again))) == (RunState.SUCCEEDED, run.output, 1)
    with house.in_tenant():
        assert Run.objects.filter(former=again).count() == 0
        follower = Run.objects.get(former=run, relation="handover")
    assert len(hashes(house, follower, replayed(house, follower))) == 1, "whoever took over can be replayed too"
    with pytest.raises(ConflictError, match="At step 2 another agent took over"):
        forked(house, run, 2)
    assert house.run(forked(house, follower, 0)).state == RunState.SUCCEEDED


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_children_side_by_side_answer_as_recorded(
    house: Any, say: Any, call: Any, add_agent: Any, equip: Callable[..., None], order: tuple[int, int]
) -> None:
    for slug in ("red", "green"):
        add_agent(slug, [])
        house.model.answers[slug] = [call("witness.effect", note=slug), say(f"{slug} is done")]
    equip(house, "witness.read", delegates=["red", "green"])
    tasks = [part for slug in ("red", "green") for part in call(f"delegate.{slug}", task=slug)]
    house.model.answers["worker"] = [tasks, say("All done.")]
    run = house.start()
    children = sorted(advance(run.id))
    for place in order:
        house.run(house.read(Run(pk=children[place])))
    run = house.read(run)
    assert run.state == RunState.SUCCEEDED, (run.waits_for, run.failure)
    again = replayed(house, run)
    assert (again.state, len(hashes(house, run, again))) == (RunState.SUCCEEDED, 1), again.failure
    assert len(house.lines()) == 2
    with pytest.raises(ConflictError, match="has not ended"):
        forked(house, _waiting_parent(house), 2)


def _waiting_parent(house: Any) -> Run:
    run = house.start()
    advance(run.id)
    return house.read(run)


def test_a_fork_remembers_what_was_noted_up_to_its_step(
    house: Any, say: Any, call: Any, equip: Callable[..., None]
) -> None:
    equip(house, "remit.remember", "remit.recall", "remit.save_file")
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
        set_memory(actor=house.owner, session=session, name="colour", value="blue")
        save_artifact(actor=house.owner, session=session, name="before.txt", media_type="text/plain", content=b"x")
    house.model.answers = {"worker": [
        call("remit.remember", name="size", value="1"), call("remit.remember", name="size", value="2"),
        call("remit.remember", name="other", value="x"), call("remit.save_file", name="after.txt", text="y"),
        say("Done."),
    ]}  # fmt: skip
    with house.in_tenant():
        run = start_run(actor=house.owner, agent=house.agent, title="t", input="Go.", session=session)
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    noted = {}
    for step in (0, 2, 4, 6):
        memory = session_of(house, forked(house, run, step)).memory
        noted[step] = {name: entry["value"] for name, entry in memory.items()}
    assert noted[0] == {"colour": "blue"}
    assert noted[2] == {"colour": "blue", "size": "1"}
    assert noted[4] == {"colour": "blue", "size": "2"}
    assert noted[6] == {"colour": "blue", "size": "2", "other": "x"}
    with house.in_tenant():
        files = [sorted(Artifact.objects.filter(session_id=forked(house, run, step).session_id)
                        .values_list("name", flat=True)) for step in (0, 8)]  # fmt: skip
    assert files == [["before.txt"], ["after.txt", "before.txt"]]
    again = replayed(house, run)
    assert (again.state, len(hashes(house, run, again))) == (RunState.SUCCEEDED, 1), again.failure
    assert session_of(house, run).memory["size"]["value"] == "2", "the session of the run is as it was"


def test_a_later_turn_of_a_session_is_replayed_and_forked_with_what_stood_before(
    house: Any, say: Any, call: Any
) -> None:
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
    house.model.answer = lambda _: say("Hello Olga.")
    runs = []
    for text in ("I am Olga.", "Who am I?"):
        with house.in_tenant():
            started = start_run(actor=house.owner, agent=house.agent, title="t", input=text, session=session)
        runs.append(house.run(started))
        assert runs[-1].state == RunState.SUCCEEDED, runs[-1].failure
    assert "I am Olga." in str(house.model.asked[-1]["input"])
    assert len(hashes(house, runs[1], replayed(house, runs[1]))) == 1
    asked = len(house.model.asked)
    assert house.run(forked(house, runs[1], 0)).state == RunState.SUCCEEDED
    assert len(house.model.asked) == asked + 1
    assert "I am Olga." in str(house.model.asked[-1]["input"]), "a fork sees what its former saw"
    version = publish(house, "bolder")
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=runs[1], version=version)
    assert house.run(made).state == RunState.SUCCEEDED
    assert "I am Olga." in str(house.model.asked[-1]["input"])


def test_the_session_of_a_fork_goes_on_and_knows_what_stood_before_it(house: Any, say: Any) -> None:
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
    house.model.answer = lambda _: say("Hello Olga.")
    for text in ("I am Olga.", "Who am I?"):
        with house.in_tenant():
            started = start_run(actor=house.owner, agent=house.agent, title="t", input=text, session=session)
        last = house.run(started)
    made = house.run(forked(house, last, 1))
    with house.in_tenant():
        own = Session.objects.get(pk=made.session_id)
        started = start_run(actor=house.owner, agent=house.agent, title="t", input="And now?", session=own)
    assert house.run(started).state == RunState.SUCCEEDED
    shown = str(house.model.asked[-1]["input"])
    assert [text in shown for text in ("I am Olga.", "Who am I?", "And now?")] == [True, True, True]
    assert len(hashes(house, started, replayed(house, started))) == 1
