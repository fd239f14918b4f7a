"""A replay of an unchanged run has its trace, whatever people have noted in its session since."""

from typing import Any

import pytest

from agents.registry.models import Agent
from agents.runs.models import InputRequest, Run, RunState, Session
from agents.runs.services import start_run
from agents.runs.sessions import forget_memory, open_session, set_memory
from agents.runs.waits import answer_question
from foundation.actors import Actor, ActorKind
from tests.agents.runs.test_replay import hashes, replayed


def begun(house: Any, session: Session) -> Run:
    """A run whose input is all a person's own word: whatever else it has seen shows in its label."""
    with house.in_tenant():
        agent = Agent.objects.get(pk=house.agent.pk)
        run = start_run(actor=house.owner, agent=agent, title="t", input="Go.", session=session, trusted=True)
    return house.run(run)


@pytest.mark.parametrize("deed", ["noted", "noted by a program", "forgotten", "changed"])
def test_what_was_noted_later_is_not_in_it(house: Any, say: Any, call: Any, deed: str) -> None:
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
        if deed in {"forgotten", "changed"}:
            set_memory(actor=house.owner, session=session, name="x", value="y")
    house.model.answers = {"worker": [call("witness.read", note="a"), say("Done.")]}
    run = begun(house, session)
    assert run.state == RunState.SUCCEEDED, run.failure
    program = Actor(kind=ActorKind.SERVICE, name="crm", organisation=house.organisation.id)
    with house.in_tenant():
        if deed == "forgotten":
            forget_memory(actor=house.owner, session=session, name="x")
        else:
            actor = program if deed == "noted by a program" else house.owner
            set_memory(actor=actor, session=session, name="x", value="z")
    again = replayed(house, run)
    assert len(hashes(house, run, again, replayed(house, again))) == 1, again.failure


def test_what_was_noted_while_it_waited_is_in_it_from_there_on(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.ask_person", "remit.recall", "remit.remember")
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)
    house.model.answers = {"worker": [
        call("remit.ask_person", question="Which?"), call("remit.recall", name="x"),
        call("remit.remember", name="x", value="mine"), call("remit.recall", name="x"), say("Done."),
    ]}  # fmt: skip
    run = begun(house, session)
    with house.in_tenant():
        set_memory(actor=house.owner, session=session, name="x", value="theirs")
        request = InputRequest.objects.get(run=run)
        answer_question(actor=house.approver, request=request, answer={"answer": "That one."})
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    assert house.steps(run)[0].label != house.steps(run)[-1].label
    again = replayed(house, run)
    assert len(hashes(house, run, again)) == 1, again.failure
