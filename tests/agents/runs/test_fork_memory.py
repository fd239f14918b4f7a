"""A fork has the working memory as it was at its step: also what a person had noted, and the agent replaced later."""

from typing import Any

import pytest

from agents.runs.models import Run, Session
from agents.runs.services import start_run
from agents.runs.sessions import forget_memory, open_session, set_memory
from tests.agents.runs.test_fork import fork
from tests.agents.runs.test_replay import replayed

HOTEL = {"name": "Adler", "nights": 2}


@pytest.fixture
def session(house: Any, equip: Any) -> Session:
    """Its hotel is a person's word."""
    equip(house, "remit.remember", "remit.recall")
    with house.in_tenant():
        made = open_session(actor=house.owner, agent=house.agent)
        return set_memory(actor=house.owner, session=made, name="hotel", value=HOTEL)


def talk(house: Any, say: Any, call: Any, session: Session, *values: str) -> Run:
    """A run that notes these in turn: at steps 2, 4, and so on."""
    house.model.answers = {"worker": [*(call("remit.remember", name="hotel", value=one) for one in values), say("Ok.")]}
    with house.in_tenant():
        run = start_run(actor=house.owner, agent=house.agent, title="t", input="Note.", session=session)
    return house.run(run)


def memory(house: Any, session: Any) -> dict[str, Any]:
    with house.in_tenant():
        return dict(Session.objects.get(pk=session).memory)


@pytest.mark.parametrize("value", ["Krone", ""])
def test_what_a_person_noted_before_is_there(house: Any, say: Any, call: Any, session: Session, value: str) -> None:
    """Whether the agent has noted something else under that name since, or forgot it."""
    run = talk(house, say, call, session, value, "Linde")
    assert run.state == "succeeded", run.failure
    noted = session.memory["hotel"]
    for step in (0, 1):
        assert memory(house, fork(house, run, step).session_id)["hotel"] == noted
    at_two = memory(house, fork(house, run, 2).session_id)
    assert at_two.get("hotel", {}).get("value", "") == value
    assert memory(house, fork(house, run, 4).session_id)["hotel"]["value"] == "Linde"


def test_of_two_words_of_people_it_is_the_one_that_was_replaced_first(
    house: Any, say: Any, call: Any, session: Session
) -> None:
    first = talk(house, say, call, session, "Krone")
    with house.in_tenant():
        changed = set_memory(actor=house.owner, session=session, name="hotel", value="Post").memory["hotel"]
    second = talk(house, say, call, session, "Linde")
    assert memory(house, fork(house, second, 0).session_id)["hotel"] == changed
    assert memory(house, fork(house, first, 0).session_id)["hotel"] == session.memory["hotel"]


def test_what_nobody_replaced_is_not_there_again(house: Any, say: Any, call: Any, session: Session) -> None:
    with house.in_tenant():
        forget_memory(actor=house.owner, session=session, name="hotel")
    run = talk(house, say, call, session, "Krone", "Linde")
    assert house.steps(run)[3].output == {"noted": "hotel"}, "its former note stands in the journal"
    assert "hotel" not in memory(house, fork(house, run, 0).session_id)
    assert memory(house, fork(house, run, 3).session_id)["hotel"]["value"] == "Krone"


def test_a_replay_begins_with_it(house: Any, say: Any, call: Any, session: Session) -> None:
    run = talk(house, say, call, session, "Krone")
    made = replayed(house, run)
    assert made.state == "succeeded", made.failure
    assert house.steps(made)[1].output == house.steps(run)[1].output
