"""The items of a session are those of all its runs: of one that was delegated, and of a copy, too."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.runs.control import replay_run
from agents.runs.items import items_of
from agents.runs.models import Run, Session
from agents.runs.services import start_run
from agents.runs.sessions import export_session


@pytest.fixture
def delegated(house: Any, say: Any, call: Any, add_agent: Any, equip: Any) -> Run:
    """A run that another one has delegated."""
    add_agent("second", [])
    equip(house, delegates=["second"])
    house.model.answers = {
        "worker": [call("delegate.second", task="Count to three."), say("Done.")],
        "second": [call("witness.read", note="three"), say("One, two, three.")],
    }
    run = house.run(house.start())
    with house.in_tenant():
        return Run.objects.select_related("session", "agent__serving").get(parent=run)


def test_a_delegated_session_has_items_and_an_export(house: Any, delegated: Run) -> None:
    with house.in_tenant():
        session = Session.objects.get(pk=delegated.session_id)
        kinds = [item.kind for part in items_of(session) for item in part]
        document = json.loads("".join(export_session(actor=house.owner, session=session)))
    assert session.turns == 1
    assert kinds == ["message", "call", "output", "message"]
    assert [item["kind"] for item in document["items"]] == kinds
    [run] = document["runs"]
    assert (run["id"], run["agent"], run["version"]) == (str(delegated.pk), "second", 1)


def test_a_session_of_a_replay_has_them_too(house: Any, delegated: Run) -> None:
    with house.in_tenant():
        made = replay_run(actor=house.owner, run=Run.objects.get(pk=delegated.pk))
    house.run(made)
    with house.in_tenant():
        items = [item for part in items_of(Session.objects.get(pk=made.session_id)) for item in part]
    assert [item.kind for item in items] == ["message", "call", "output", "message"]


def test_whoever_goes_on_in_it_is_understood(house: Any, say: Any, delegated: Run) -> None:
    with house.in_tenant():
        replay = replay_run(actor=house.owner, run=Run.objects.get(pk=delegated.pk))
    house.run(replay)
    for made in (delegated, replay):
        house.model.answers["second"] = [say("Four.")] * 2
        with house.in_tenant():
            session = Session.objects.get(pk=made.session_id)
            more = start_run(actor=house.owner, agent=delegated.agent, title="t", input="And?", session=session)
        house.run(more)
        seen = house.model.asked[-1]["input"]
        said = [one.get("content") or one["type"] for one in seen]
        assert said == ["Count to three.", "function_call", "function_call_output", "One, two, three.", "And?"]


def test_an_export_costs_no_queries_for_more_turns(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house)
    house.model.answers = {"worker": [call("witness.read", note="x"), say("Done."), say("Again."), say("Once more.")]}
    run = house.run(house.start())

    def exported() -> tuple[int, list[str]]:
        with house.in_tenant(), CaptureQueriesContext(connection) as captured:
            session = Session.objects.get(pk=run.session_id)
            document = json.loads("".join(export_session(actor=house.owner, session=session)))
        return len(captured), [item["kind"] for item in document["items"]]

    asked, kinds = exported()
    assert kinds == ["message", "call", "output", "message"]
    for text in ("Again?", "Once more?"):
        with house.in_tenant():
            session = Session.objects.get(pk=run.session_id)
            more = start_run(actor=house.owner, agent=house.agent, title=text, input=text, session=session)
        assert house.run(more).state == "succeeded"
    assert exported() == (asked, [*kinds, "message", "message", "message", "message"])
