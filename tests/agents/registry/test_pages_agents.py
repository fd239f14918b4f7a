"""From a draft to an agent that serves, in the console."""

from agents.catalogue.models import LanguageModel
from agents.registry.models import Agent
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures


def test_a_builder_makes_an_agent_and_lets_it_serve(world: World, visit: Visit):
    sponsor = str(world.people["team-lead"].id)
    form = {"name": "Night clerk", "slug": "night", "team": str(world.team.id), "sponsor": sponsor}
    answer = visit("/agents/new", "builder", form=form)
    assert answer["Location"] == "/agents/night/versions/new"
    with tenant(world.organisation.id):
        model = LanguageModel.objects.get(slug="small")
    version = {
        "instructions": "Answer at night.", "language_model": str(model.id), "tools": ["papers.search"],
        "delegates": ["clerk"], "max_steps": 10, "max_seconds": 60, "max_output_tokens": 100, "run_budget": "0.25",
    }  # fmt: skip
    assert visit("/agents/night/versions/new", "builder", form=version).status_code == 303
    assert visit("/agents/night/versions/1/serve/", "builder", form={}).status_code == 303
    assert visit("/agents/night/submit/", "builder", form={}).status_code == 303
    visit("/agents/night/activate/", "builder", form={})
    with tenant(world.organisation.id):
        assert Agent.objects.get(slug="night").state == "in_review", "its builder does not pass it"
    assert "In review" in visit("/agents/?view=in_review", "viewer").content.decode().partition("<main")[2]
    assert visit("/agents/night/activate/", "team-lead", form={}).status_code == 303
    with tenant(world.organisation.id):
        agent = Agent.objects.get(slug="night")
        assert agent.state == "active"
        assert agent.serving is not None
        assert (agent.serving.run_budget, agent.serving.tools) == (250_000, ["papers.search"])


def test_the_next_version_begins_as_a_copy_and_shows_what_changed(world: World, visit: Visit):
    assert world.canary in visit("/agents/clerk/versions/new", "builder").content.decode()
    with tenant(world.organisation.id):
        model = LanguageModel.objects.get(slug="small")
    form = {"instructions": "Other words.", "language_model": str(model.id), "max_steps": 10, "max_seconds": 60,
            "max_output_tokens": 100, "run_budget": "0.1"}  # fmt: skip
    visit("/agents/clerk/versions/new", "builder", form=form)
    page = visit("/agents/clerk/versions/", "viewer").content.decode()
    assert 'class="plus"' in page.replace("'", '"')
    assert "Other words." in page


def test_suspending_needs_a_reason(world: World, visit: Visit):
    visit("/agents/clerk/suspend/", form={"reason": ""})
    with tenant(world.organisation.id):
        assert Agent.objects.get(slug="clerk").state == "active"
    visit("/agents/clerk/suspend/", form={"reason": "It loops"})
    with tenant(world.organisation.id):
        assert Agent.objects.get(slug="clerk").state == "suspended"
    assert "only an active agent starts runs" in visit("/agents/clerk/", "operator").content.decode()


def test_an_ownerless_agent_is_found_and_taken_over(world: World, visit: Visit):
    assert "/agents/clerk/" not in visit("/agents/?view=ownerless").content.decode().partition("<main")[2]
    visit(f"/settings/people/{world.people['team-lead'].id}/suspend/", form={"reason": "Left"})
    visit("/agents/clerk/sponsor/", form={"sponsor": str(world.people["builder"].id)})
    visit(f"/settings/people/{world.people['builder'].id}/suspend/", form={"reason": "Left"})
    assert "/agents/clerk/" in visit("/agents/?view=ownerless").content.decode().partition("<main")[2]
    assert "Take over" in visit("/agents/clerk/", "administrator").content.decode()
    visit("/agents/clerk/take-over/", form={})
    with tenant(world.organisation.id):
        assert Agent.objects.get(slug="clerk").sponsor_id == world.people["administrator"].id
