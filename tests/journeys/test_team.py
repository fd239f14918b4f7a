"""A coordinator takes a request apart, gives it to three agents at once, and answers with what they found."""

import json
from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version
from agents.runs.models import Run, RunState
from foundation.audit.models import AuditEntry

TEAM = ("prices", "delivery", "terms")


@pytest.fixture
def team(house: Any, say: Any, call: Any, add_agent: Any) -> Any:
    """A house with three agents and one that leads them."""
    for slug in TEAM:
        add_agent(slug, [])
        house.model.answers[slug] = [call("witness.read", note=slug), say(f"The {slug} are known.")]
    with house.in_tenant():
        agent = Agent.objects.get(pk=house.agent.pk)
        version = publish_version(
            actor=house.owner, agent=agent, instructions="worker", language_model=house.language_model, tools=[],
            delegates=list(TEAM), max_output_tokens=100, run_budget=1_000_000,
        )  # fmt: skip
        house.agent = serve_version(actor=house.owner, agent=agent, version=version)
    return house


def test_a_team_answers_as_one(team: Any, say: Any, call: Any) -> None:
    house = team
    apart = [part for slug in TEAM for part in call(f"delegate.{slug}", task=f"Find out the {slug}.")]
    house.model.answers["worker"] = [apart, say("Here is the offer.")]

    run = house.run(house.start("Make an offer for a hundred lamps."))

    assert (run.state, run.output) == (RunState.SUCCEEDED, {"text": "Here is the offer."}), run.failure
    with house.in_tenant():
        below = list(Run.objects.filter(parent_id=run.id).select_related("agent").order_by("id"))
        recorded = AuditEntry.objects.filter(action="run.delegate", run_id=run.id).count()
    assert [one.agent.slug for one in below] == list(TEAM)
    assert {one.state for one in below} == {RunState.SUCCEEDED}
    assert {one.chain[0] for one in below} == {str(house.agent.id)}, "each acts for the coordinator"
    assert recorded == len(TEAM)
    assert house.events(run).count("run.waiting") == 1, "one wait for all of them"
    told = [json.loads(item["output"])["text"] for item in house.model.asked[-1]["input"]
            if item.get("type") == "function_call_output"]  # fmt: skip
    assert told == [f"The {slug} are known." for slug in TEAM]
    assert sorted(line[2] for line in house.lines()) == sorted(TEAM)
