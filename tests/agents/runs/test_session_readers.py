"""Who reads what a session keeps: copies of it, and turns that go on from what others said, open nothing more."""

from typing import Any

import pytest

from agents.runs.bodies import Reading, read_session, readings_of, require_turns
from agents.runs.control import fork_run, replay_run
from agents.runs.models import Run, Session
from agents.runs.services import start_run
from agents.runs.sessions import open_session
from foundation.access.guards import RefusedError
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind
from foundation.identity.services import add_person

SECRET = "the parrot is dead"


def auditor_of(house: Any, agent: Any) -> Actor:
    """A person who reads the bodies of one agent, and of no other."""
    with house.in_tenant():
        person = add_person(
            actor=house.owner, organisation=house.organisation, email=f"{agent.slug}@example.org", name="Ada Auditor"
        ).principal
        grant(actor=house.owner, principal=person, role="auditor", target=agent.target)
    return Actor(kind=ActorKind.PERSON, name="Ada Auditor", principal=person.id, organisation=house.organisation.id)


@pytest.fixture
def follower(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> Run:
    """The run that took a session over, in which the agent before had noted something."""
    add_agent("second", [])
    equip(house, "remit.hand_over", "remit.remember", delegates=["second"])
    house.model.answers = {
        "worker": [
            call("remit.remember", name="secret", value=SECRET),
            call("remit.hand_over", agent="second", note="Go on."),
        ],
        "second": [say("I went on.")] * 3,
    }
    run = house.run(house.start())
    with house.in_tenant():
        return Run.objects.select_related("agent__target", "session").get(former=run)


@pytest.mark.parametrize("copy", ["fork", "replay", "fork of a replay"])
def test_a_copy_of_a_session_is_read_by_whoever_reads_the_session(house: Any, follower: Run, copy: str) -> None:
    reader = auditor_of(house, follower.agent)
    with house.in_tenant():
        assert not read_session(reader, follower.session).is_auditor
        made = (
            fork_run(actor=house.owner, run=follower, step=0) if copy == "fork"
            else replay_run(actor=house.owner, run=follower)
        )  # fmt: skip
    house.run(made)
    with house.in_tenant():
        if copy == "fork of a replay":
            made = fork_run(actor=house.owner, run=Run.objects.get(pk=made.pk), step=0)
        session = Session.objects.get(pk=made.session_id)
        assert session.memory["secret"]["value"] == SECRET
        assert not read_session(reader, session).is_auditor
        with pytest.raises(RefusedError):
            require_turns(reader, session)
        assert readings_of(reader, [made.pk])[made.pk].is_auditor, "the run itself is of the agent that they may read"


def test_what_goes_on_from_what_others_said_is_nobodys_own_answer(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say(SECRET)]}
    with house.in_tenant():
        session = open_session(actor=house.owner, agent=house.agent)

    def turn(actor: Actor, text: str, session: Session) -> Run:
        with house.in_tenant():
            run = start_run(actor=actor, agent=house.agent, title="t", input=text, session=session)
        done: Run = house.run(run)
        return done

    def read(actor: Actor, run: Run) -> Reading:
        with house.in_tenant():
            return readings_of(actor, [run.pk])[run.pk]

    first = turn(house.owner, "Tell me.", session)
    again = turn(house.owner, "Again.", session)
    theirs = turn(house.approver, "What was said here?", session)
    mine = turn(house.owner, "And now?", session)
    assert read(house.owner, first) == read(house.owner, again) == Reading(is_own_input=True, is_own_answer=True)
    assert read(house.approver, theirs) == Reading(is_own_input=True)
    assert read(house.owner, mine) == Reading(is_own_input=True), "nor what goes on from what they were told then"
    with house.in_tenant():
        fork = fork_run(actor=house.approver, run=first, step=0)
        copied = Session.objects.get(pk=fork.session_id)
    house.run(fork)
    assert read(house.approver, turn(house.approver, "What was said before?", copied)) == Reading(is_own_input=True)
