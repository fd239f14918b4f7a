"""Agents over REST: from the draft to the end, and who may."""

from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.identity.services import suspend_principal
from foundation.organisations.models import GrantTarget, Team
from foundation.organisations.services import create_team
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["world"]


def _another_team(world: World) -> Team:
    """A team that the builder has no grant on: the builder's is the first team only."""
    with tenant(world.organisation.id):
        Grant.objects.filter(principal=world.people["builder"]).delete()
        grant(
            actor=world.shell, principal=world.people["builder"], role="builder",
            target=GrantTarget.objects.get(pk=world.team.id),
        )  # fmt: skip
        return create_team(actor=world.shell, organisation=world.organisation, slug="other", name="Other", parent=None)


def test_from_draft_to_retired(world: World) -> None:
    api = world.api()
    made = api.post("/agents", {"team": "desk", "slug": "scribe", "name": "Scribe"})
    assert made.status_code == 201, made.content
    assert made.json()["state"] == "draft"
    assert made.json()["sponsor"]["id"] == str(world.people["administrator"].id)
    assert api.post("/agents/scribe/activate").status_code == 400, "It has no version."
    version = {"instructions": "Write.", "language_model": "small", "tools": ["papers.read"]}
    published = api.post("/agents/scribe/versions", version)
    assert (published.status_code, published.json()["number"]) == (201, 1)
    assert api.post("/agents/scribe/serve", {"version": 1}).json()["serving"]["number"] == 1
    assert api.post("/agents/scribe/submit").json()["state"] == "in_review"
    assert api.post("/agents/scribe/activate").status_code == 400, "Whoever sent it does not pass it."
    assert world.api("team-lead").post("/agents/scribe/activate").json()["state"] == "active"
    assert api.post("/agents/scribe/suspend", {"reason": "A pause."}).json()["state"] == "suspended"
    assert api.post("/agents/scribe/retire", {"reason": "The end."}).json()["state"] == "retired"
    assert api.post("/agents/scribe/activate").status_code == 409


def test_a_version_is_found_by_its_number(world: World) -> None:
    api = world.api("viewer")
    assert api.get("/agents/clerk/versions/1").json()["instructions"] == world.canary
    assert api.get("/agents/clerk/versions/2").status_code == 404
    assert api.post("/agents/clerk/serve", {"version": 1}).status_code == 403


def test_an_unknown_tool_is_told_at_its_field(world: World) -> None:
    body = {"instructions": "Write.", "language_model": "small", "tools": ["papers.burn"]}
    answer = world.api().post("/agents/clerk/versions", body)
    assert answer.status_code == 400
    assert "tools" in answer.json()["errors"]


def test_a_grant_on_a_team_ends_at_the_team(world: World) -> None:
    _another_team(world)
    api = world.api("builder")
    assert api.post("/agents", {"team": "desk", "slug": "mine", "name": "Mine",
                                "sponsor": str(world.people["viewer"].id)}).status_code == 201  # fmt: skip
    refused = api.post("/agents", {"team": "other", "slug": "theirs", "name": "Theirs"})
    assert refused.status_code == 404, "The builder may not even see that team."
    world.api().post("/agents", {"team": "other", "slug": "theirs", "name": "Theirs"})
    assert api.get("/agents/theirs").status_code == 404
    assert {agent["slug"] for agent in api.get("/agents").json()["items"]} == {"clerk", "mine"}


def test_an_agent_or_service_cannot_be_the_sponsor(world: World) -> None:
    answer = world.api().post("/agents/clerk/sponsor", {"sponsor": str(world.things["services"])})
    assert answer.status_code == 400


def test_an_ownerless_agent_is_listed_and_taken_over(world: World) -> None:
    api = world.api("builder")
    assert api.get("/agents/ownerless").json()["items"] == []
    assert api.post("/agents/clerk/take-over").status_code == 409, "Somebody answers for it."
    with tenant(world.organisation.id):
        suspend_principal(actor=world.shell, principal=world.people["administrator"], reason="Gone")
    assert [agent["slug"] for agent in api.get("/agents/ownerless").json()["items"]] == ["clerk"]
    refused = world.api("operator").post("/runs", {"agent": "clerk", "input": "Hello"})
    assert (refused.status_code, "ownerless" in refused.json()["detail"]) == (400, True)
    assert world.api("operator").post("/agents/clerk/take-over").status_code == 403
    taken = api.post("/agents/clerk/take-over", {"reason": "I know it."})
    assert taken.json()["sponsor"]["id"] == str(world.people["builder"].id)
    assert world.api("operator").post("/runs", {"agent": "clerk", "input": "Hello"}).status_code == 201
