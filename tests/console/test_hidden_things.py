"""What one may not know of is unknown, wherever its id is named: the same answer as for an id that nobody has."""

from dataclasses import dataclass
from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import NO_SPONSOR, create_agent
from agents.runs.models import Session
from agents.runs.sessions import open_session
from foundation.access.custom_roles import create_role
from foundation.access.services import grant
from foundation.identity.models import Principal
from foundation.identity.services import suspend_principal
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget, Team
from foundation.organisations.services import create_team
from foundation.tenancy.context import tenant
from tests.console.pages import Visit
from tests.foundation.api.world import Api, World

NAME = "Merger with Acme"
EMPTY: dict[str, Any] = {"items": [], "next": None}


@dataclass
class Closed:
    """Somebody who leads one team, and keeps people and keys; and an agent of another team, which they do not see."""

    world: World
    team: Team
    agent: Agent
    api: Api

    def told(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, str]:
        answer = self.api.call(method, path, body)
        assert NAME not in answer.content.decode()
        return answer.status_code, answer.json().get("detail", "")


@pytest.fixture
def closed(world: World) -> Closed:
    with tenant(world.organisation.id):
        team = create_team(actor=world.shell, organisation=world.organisation, slug="closed", name="Closed")
        agent = create_agent(actor=world.shell, team=team, slug="merger", name=NAME, purpose="",
                             sponsor=world.people["administrator"])  # fmt: skip
        keeping = ["person.manage", "person.view", "key.manage"]
        create_role(actor=world.shell, slug="keeper", name="Keeper", permissions=keeping)
        person, root = world.people["stranger"], GrantTarget.objects.get(pk=world.organisation.id)
        grant(actor=world.shell, principal=person, role="keeper", target=root)
        grant(actor=world.shell, principal=person, role="team-lead", target=world.team.target)
    api = world.api("stranger")
    assert api.get(f"/agents/{agent.id}").status_code == 404
    return Closed(world, team, agent, api)


TARGETS: dict[str, dict[str, Any]] = {
    "/grants": {"role": "viewer"},
    "/reviews": {"name": "Autumn"},
    "/access/why": {},
    "/access/who": {"permission": "run.view"},
}


@pytest.mark.parametrize("path", TARGETS)
def test_a_target_that_one_may_not_see_is_unknown(closed: Closed, path: str) -> None:
    body = TARGETS[path] | {"principal": str(closed.world.people["viewer"].id)}
    body = body if path in {"/grants", "/access/why"} else TARGETS[path]
    unknown = closed.told("POST", path, body | {"target": str(uuid7())})
    assert unknown[0] == 404
    assert closed.told("POST", path, body | {"target": str(closed.agent.id)}) == unknown
    assert closed.told("POST", path, body | {"target": str(closed.team.id)}) == unknown


@pytest.mark.parametrize("path", TARGETS)
def test_what_one_may_only_see_is_refused_with_the_permission(closed: Closed, path: str) -> None:
    with tenant(closed.world.organisation.id):
        grant(actor=closed.world.shell, principal=closed.world.people["stranger"], role="viewer",
              target=closed.team.target)  # fmt: skip
    body = {**TARGETS[path], "target": str(closed.agent.id)}
    if path == "/grants":
        body["principal"] = str(closed.world.people["viewer"].id)
    answer = closed.api.post(path, body)
    assert answer.status_code == 403
    assert answer.json()["permission"] in {"grant.manage", "grant.view"}


def test_the_scope_of_a_budget_is_unknown_too(closed: Closed) -> None:
    body = {"scope": "agent", "limit": 1, "currency": "EUR"}
    unknown = closed.told("POST", "/budgets", body | {"scope_id": str(uuid7())})
    assert unknown[0] == 404
    assert closed.told("POST", "/budgets", body | {"scope_id": str(closed.agent.id)}) == unknown


def test_an_agent_is_no_principal_for_whoever_may_not_see_it(closed: Closed) -> None:
    """Nor for anybody else: agents hold no grants, seats and keys."""
    group = closed.api.post("/groups", {"name": "Night shift"}).json()["id"]
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "/grants": ("principal", {"role": "viewer", "target": str(closed.world.team.id)}),
        "/access/why": ("principal", {"target": str(closed.world.team.id)}),
        f"/groups/{group}/add": ("member", {}),
        "/api-keys": ("principal", {"name": "x"}),
    }
    for path, (name, body) in asked.items():
        unknown = closed.told("POST", path, body | {name: str(uuid7())})
        assert unknown[0] == 404, path
        assert closed.told("POST", path, body | {name: str(closed.agent.id)}) == unknown, path


def test_a_refusal_names_no_place_that_one_may_not_see(closed: Closed) -> None:
    """The service may do something there; that is said, and not where."""
    world = closed.world
    with tenant(world.organisation.id):
        service = Principal.objects.get(pk=world.things["services"])
        grant(actor=world.shell, principal=service, role="team-lead", target=closed.agent.target)
    answer = closed.api.post("/api-keys", {"name": "x", "principal": str(service.id)})
    assert answer.status_code == 403
    assert NAME not in answer.content.decode()
    assert "something that you may not see" in answer.json()["detail"]


def test_whoever_cannot_be_the_sponsor_is_not_told_apart(closed: Closed) -> None:
    """A hidden agent, a service, somebody suspended, and nobody: one answer, which names none of them."""
    world = closed.world
    with tenant(world.organisation.id):
        suspend_principal(actor=world.shell, principal=world.people["viewer"], reason=NAME)
    for path, body in (("/agents", {"team": "desk", "slug": "mine", "name": "Mine"}), ("/agents/clerk/sponsor", {})):
        nobody = closed.told("POST", path, body | {"sponsor": str(uuid7())})
        assert nobody == (400, NO_SPONSOR)
        for one in (closed.agent.id, world.things["services"], world.people["viewer"].id):
            assert closed.told("POST", path, body | {"sponsor": str(one)}) == nobody, path


def test_the_page_tells_no_sponsor_apart_either(closed: Closed, visit: Visit) -> None:
    for one in (uuid7(), closed.agent.id, closed.world.things["services"], "x"):
        answer = visit("/agents/clerk/sponsor/", "stranger", form={"sponsor": str(one)})
        assert answer.status_code == 303
        page = visit("/agents/clerk/", "stranger", Cookie=f"messages={answer.cookies['messages'].coded_value}")
        assert NO_SPONSOR in page.content.decode()
        assert NAME not in page.content.decode()


def test_an_act_is_tried_of_agents_that_one_may_see(closed: Closed) -> None:
    body = {"kind": "tool_call", "target": "papers.search"}
    assert closed.told("POST", "/policies/try", body | {"agent": "clerk"})[0] == 200
    unknown = closed.told("POST", "/policies/try", body | {"agent": "nobody"})
    assert unknown[0] == 404
    assert closed.told("POST", "/policies/try", body | {"agent": "merger"}) == unknown


def test_what_a_list_is_narrowed_by_must_be_an_id(closed: Closed) -> None:
    answer = closed.api.get("/runs?agent=merger")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["agent"])


def test_a_filter_does_not_tell_what_there_is(closed: Closed) -> None:
    with tenant(closed.world.organisation.id):
        session = open_session(actor=closed.world.shell, agent=Agent.objects.get(pk=closed.world.things["agents"]))
        Session.objects.filter(pk=session.pk).update(agent=closed.agent, target=closed.agent.target)
    for path, hidden in (("/runs?agent=", closed.agent.id), ("/sessions?agent=", closed.agent.id),
                         ("/schedules?agent=", closed.agent.id), ("/triggers?agent=", closed.agent.id),
                         ("/artifacts?session=", session.id), ("/agents?team=", closed.team.id)):  # fmt: skip
        unknown, known = closed.api.get(f"{path}{uuid7()}"), closed.api.get(f"{path}{hidden}")
        assert (unknown.status_code, unknown.json()) == (known.status_code, known.json()) == (200, EMPTY), path
