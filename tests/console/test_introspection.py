"""Asking whether a token counts: the answer is what stands now, not what stood when the token was made."""

from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version
from foundation.access.models import Grant
from foundation.access.services import withdraw
from foundation.delegation.models import DelegationGrant
from foundation.delegation.services import narrow_delegation
from foundation.identity.models import ApiKey
from foundation.identity.services import revoke_api_key
from foundation.tenancy.context import tenant
from tests.console.test_token_exchange import JWT, READ, SEARCH, ask, clerk, give, make_agent
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World

__all__ = ["clerk", "world"]  # fixtures
NO = {"active": False}


def serve(world: World, clerk: Agent, *tools: str) -> None:
    """The clerk serves a version with these tools."""
    with tenant(world.organisation.id):
        serving = Agent.objects.get(pk=clerk.pk).serving
        assert serving is not None
        version = publish_version(actor=world.shell, agent=clerk, instructions="x", delegates=[], tools=list(tools),
                                  language_model=serving.language_model)  # fmt: skip
        serve_version(actor=world.shell, agent=clerk, version=version)


@pytest.fixture
def both(world: World, clerk: Agent) -> DelegationGrant:
    """A delegation of two scopes at two audiences; the clerk has tools for both."""
    serve(world, clerk, "papers.search", "papers.read")
    return give(world, clerk, [SEARCH, READ], ["papers", "remit"])


def token(world: World, audience: Any = "papers", **fields: Any) -> str:
    asked = {"subject_token": world.keys["operator"], "requested_actor": "clerk", "audience": audience} | fields
    answer = ask(**asked)
    assert answer.status_code == 200, answer.content
    said: str = answer.json()["access_token"]
    return said


def told(world: World, shown: str, audience: str = "papers") -> dict[str, Any]:
    answer: dict[str, Any] = world.api("viewer").post("/introspect", {"token": shown, "audience": audience}).json()
    return answer


def narrow(world: World, delegation: DelegationGrant, **less: Any) -> None:
    with tenant(world.organisation.id):
        narrow_delegation(actor=world.actor("operator"), delegation=delegation, **less)


def test_an_audience_that_was_taken_away_is_refused(world: World, both: DelegationGrant) -> None:
    shown = token(world, ["papers", "remit"])
    assert told(world, shown)["aud"] == ["papers", "remit"]
    narrow(world, both, audience=["remit"])
    assert told(world, shown) == NO
    assert told(world, shown, "remit")["aud"] == ["remit"]


def test_a_scope_that_was_taken_away_is_not_told(world: World, both: DelegationGrant) -> None:
    shown, reading = token(world), token(world, scope=READ)
    assert told(world, shown)["scope"] == f"{READ} {SEARCH}"
    narrow(world, both, scopes=[SEARCH])
    assert told(world, shown)["scope"] == SEARCH
    assert told(world, reading) == NO, "nothing is left of it"


def test_what_rests_on_the_narrowed_one_is_narrowed_too(world: World, both: DelegationGrant) -> None:
    helper = make_agent(world, "helper")
    give(world, helper, [SEARCH], ["papers"], parent=both)
    mine = token(world, "remit")
    passed_on = token(world, subject_token=mine, subject_token_type=JWT, requested_actor="helper")
    assert told(world, passed_on)["scope"] == SEARCH
    narrow(world, both, scopes=[READ])
    assert told(world, passed_on) == NO


def test_a_tool_that_the_agent_serves_no_longer_is_not_told(world: World, clerk: Agent, both: DelegationGrant) -> None:
    shown = token(world)
    serve(world, clerk, "papers.read")
    assert told(world, shown)["scope"] == READ


def test_nothing_is_left_without_the_grants_of_the_person(world: World, both: DelegationGrant) -> None:
    shown = token(world)
    assert told(world, shown)["active"] is True
    with tenant(world.organisation.id):
        for one in Grant.objects.filter(principal=world.people["operator"]):
            withdraw(actor=world.shell, grant=one)
    assert told(world, shown) == NO


def test_a_token_ends_with_the_key_that_it_was_exchanged_for(world: World, both: DelegationGrant) -> None:
    shown = token(world)
    with tenant(world.organisation.id):
        for key in ApiKey.objects.filter(principal=world.people["operator"]):
            revoke_api_key(actor=world.shell, api_key=key)
    assert told(world, shown) == NO
