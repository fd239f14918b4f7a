"""The pages of runs that the engine really ran: a question answered in the console, a replay, a hand-over, children."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version
from agents.runs.control import replay_run
from agents.runs.engine import advance
from agents.runs.models import InputRequest, Run, Step
from foundation.access.services import grant
from foundation.actors import shell_actor
from foundation.identity.models import Principal
from foundation.identity.services import create_api_key, create_service
from foundation.organisations.models import GrantTarget

FORM = {"type": "object", "properties": {"right": {"type": "boolean"}}, "required": ["right"]}


@pytest.fixture
def look(house: Any) -> Callable[..., str]:
    """`look(path)`: a page as the owner sees it, an auditor too; with `form=` it is sent, the page after is shown."""
    with house.in_tenant():
        shell = shell_actor(house.organisation.id)
        owner = Principal.objects.get(pk=house.owner.principal)
        root = GrantTarget.objects.get(pk=house.organisation.id)
        for role in ("operator", "auditor"):
            grant(actor=shell, principal=owner, role=role, target=root)
        key = create_api_key(actor=shell, principal=owner, name="console")[1]

    def ask(path: str, form: dict[str, Any] | None = None, key: str = key) -> str:
        client, headers = Client(), {"Authorization": f"Bearer {key}"}
        answer: Any = client.get(path, headers=headers)
        if form is not None:
            answer = client.post(path, form, headers=headers)
            assert answer.status_code == 303, answer.content.decode()[-3000:]
            answer = client.get(answer["Location"], headers=headers)
        assert answer.status_code == 200, path
        return str(answer.content.decode())

    return ask


def equip(house: Any, *tools: str, delegates: tuple[str, ...] = ()) -> None:
    with house.in_tenant():
        agent = Agent.objects.get(pk=house.agent.pk)
        version = publish_version(
            actor=house.owner, agent=agent, instructions="worker", language_model=house.language_model,
            tools=list(tools), delegates=list(delegates), max_output_tokens=100, run_budget=1_000_000,
        )  # fmt: skip
        house.agent = serve_version(actor=house.owner, agent=agent, version=version)


def test_a_question_is_answered_and_the_replay_comes_to_the_same(house: Any, say: Any, call: Any, look: Any) -> None:
    equip(house, "remit.ask_person")
    house.model.answers = {
        "worker": [call("remit.ask_person", question="Is <b>it</b> right?", form=FORM), say("Done.")]
    }
    run = house.run(house.start())
    with house.in_tenant():
        question = InputRequest.objects.get(run=run)
    page = look(f"/runs/{run.id}/")
    assert "Waiting for an answer" in page
    assert "Is &lt;b&gt;it&lt;/b&gt; right?" in page
    assert f"/questions/{question.id}/" in page
    assert "remit.ask_person" in look(f"/questions/{question.id}/", {"right": "true"})
    done = house.run(run)
    assert done.state == "succeeded", done.failure
    assert "Succeeded" in look(f"/runs/{run.id}/")
    session = look(f"/sessions/{run.session_id}/")
    assert "Done." in session
    assert "remit.ask_person" in session
    with house.in_tenant():
        replay = replay_run(actor=house.owner, run=done)
    assert house.run(replay).state == "succeeded"
    page = look(f"/runs/{replay.id}/")
    assert "Same trace" in page
    assert "Replay of" in page
    assert "Same trace" in look(f"/runs/{run.id}/compare/{replay.id}/")


def test_a_hand_over_is_seen_from_both_sides(house: Any, say: Any, call: Any, add_agent: Any, look: Any) -> None:
    add_agent("second", [])
    equip(house, "remit.hand_over", delegates=("second",))
    house.model.answers = {
        "worker": [call("remit.hand_over", agent="second", note="Go on.")], "second": [say("I went on.")],
    }  # fmt: skip
    run = house.run(house.start())
    with house.in_tenant():
        follower = Run.objects.get(former=run)
    assert "Handed over to" in look(f"/runs/{run.id}/")
    page = look(f"/runs/{follower.id}/")
    assert "Handed over from" in page
    assert "handed over" in page
    session = look(f"/sessions/{run.session_id}/")
    assert "I went on." in session
    assert session.count('class="thread"') == 2


def test_children_stand_below_the_step_that_made_them(
    house: Any, say: Any, call: Any, add_agent: Any, look: Any
) -> None:
    add_agent("second", [])
    equip(house, delegates=("second",))
    house.model.answers = {
        "worker": [call("delegate.second", task="one") + call("delegate.second", task="two"), say("Both.")],
        "second": [say("Mine.")],
    }  # fmt: skip
    run = house.run(house.start())
    assert run.state == "succeeded", run.failure
    page = look(f"/runs/{run.id}/")
    assert page.count("sub-agent · v1") == 2
    with house.in_tenant():
        child = Run.objects.filter(parent=run).order_by("id")[0]
    assert "Given by" in look(f"/runs/{child.id}/")
    assert str(child.session_id) not in look("/sessions/")
    assert str(child.session_id) in look("/sessions/?all=1")


@pytest.mark.parametrize(
    ("waits_for", "told"),
    [("approval", ": it waits for an approval"), ("pause", ": it is paused"),
     ("person", ": nobody knows whether a call happened")],
)  # fmt: skip
def test_what_a_child_waits_for_people_for_stands_on_its_parents_page(
    house: Any, call: Any, add_agent: Any, look: Any, waits_for: str, told: str
) -> None:
    add_agent("second", [])
    equip(house, delegates=("second",))
    house.model.answers = {"worker": [call("delegate.second", task="one")]}
    run = house.start()
    advance(run.id)
    run = house.read(run)
    assert (run.state, run.waits_for) == ("waiting", "child"), run.failure
    assert "It goes on by itself" in look(f"/runs/{run.id}/")
    with house.in_tenant():
        child = Run.objects.get(parent=run)
        Run.objects.filter(pk=child.pk).update(state="waiting", waits_for=waits_for, waits_on=None)
    page = look(f"/runs/{run.id}/")
    assert told in page
    assert f'href="/runs/{child.id}/"' in page
    assert "It goes on by itself" not in page


def test_a_child_that_the_reader_may_not_see_does_not_go_on_by_itself(
    house: Any, call: Any, add_agent: Any, look: Any
) -> None:
    """Whoever sees the parent's agent only is told that there is something, and not what."""
    add_agent("second", [])
    equip(house, delegates=("second",))
    house.model.answers = {"worker": [call("delegate.second", task="one")]}
    run = house.start()
    advance(run.id)
    hidden = "It waits for a run that you may not see"
    assert hidden not in look(f"/runs/{run.id}/")
    with house.in_tenant():
        child = Run.objects.select_related("agent").get(parent=run)
        Run.objects.filter(pk=child.pk).update(state="waiting", waits_for="approval", waits_on=None)
        shell = shell_actor(house.organisation.id)
        reader = create_service(actor=shell, organisation=house.organisation, name="reader")
        grant(actor=shell, principal=reader, role="viewer", target=GrantTarget.objects.get(pk=house.agent.target_id))
        key = create_api_key(actor=shell, principal=reader, name="reader")[1]
    page = look(f"/runs/{run.id}/", key=key)
    assert hidden in page
    assert "It goes on by itself" not in page
    assert child.agent.name not in page
    assert str(child.id) not in page
    assert hidden not in look(f"/runs/{run.id}/")


def test_the_bar_of_a_delegation_is_that_of_the_run_that_it_began(
    house: Any, say: Any, call: Any, add_agent: Any, look: Any
) -> None:
    """Of two at a time the step of each lasts until both are joined: its bar ends with its own run."""
    add_agent("second", [])
    equip(house, delegates=("second",))
    together = [*call("delegate.second", task="one"), *call("delegate.second", task="two")]
    house.model.answers = {"worker": [together, say("Done.")], "second": [say("Done.")]}
    run = house.start()
    for child in advance(run.id):
        advance(child)
    run = house.run(run)
    assert run.state == "succeeded", run.failure
    with house.in_tenant():
        quick, slow = Run.objects.filter(parent=run).order_by("id")
        for child, seconds in ((quick, 2), (slow, 6)):
            Run.objects.filter(pk=child.pk).update(ended_at=run.started_at + timedelta(seconds=seconds))
            Step.objects.using("engine").filter(run_id=run.id, child_id=child.id).update(
                started_at=run.started_at, ended_at=run.started_at + timedelta(seconds=7)
            )
        Run.objects.filter(pk=run.pk).update(ended_at=run.started_at + timedelta(seconds=8))
    page = look(f"/runs/{run.id}/")
    bars = [re.search(r', ([\d.]+)\ss</span></span>.*?<rect class="wire" x="0.00%" width="([\d.]+)%"', row, re.DOTALL)
            for row in page.split('<a class="wf-row"')[1:] if "sub-agent" in row]  # fmt: skip
    told = [(float(found[1]), float(found[2])) for found in bars if found]
    assert [one for one, _ in told] == [2, 6]
    assert told[1][1] == pytest.approx(3 * told[0][1], rel=0.01)
