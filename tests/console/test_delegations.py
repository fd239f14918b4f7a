"""Delegations over REST and in the console: one's own are given and taken back, others' are only seen."""

from datetime import UTC, datetime, timedelta

from foundation.delegation.models import DelegationGrant
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.console.test_token_exchange import make_agent
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures
SEARCH = "tool:papers.search"


def _body(**more: object) -> dict[str, object]:
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return {"agent": "clerk", "scopes": [SEARCH], "audience": ["papers"], "expires_at": end} | more


def test_one_gives_narrows_and_revokes_ones_own(world: World) -> None:
    api = world.api("operator")
    made = api.post("/delegations", _body(scopes=["tool:*"]))
    assert made.status_code == 201, made.content
    name = made.json()["id"]
    assert api.post(f"/delegations/{name}/narrow", {"scopes": [SEARCH]}).json()["scopes"] == [SEARCH]
    assert api.post(f"/delegations/{name}/narrow", {"scopes": ["tool:*"]}).status_code == 400
    assert world.api("builder").post(f"/delegations/{name}/revoke").json()["permission"] == "grant.manage", (
        "it is not the builder's"
    )
    assert world.api("viewer").post(f"/delegations/{name}/revoke").status_code == 403
    assert api.post(f"/delegations/{name}/revoke").json()["revoked_at"] is not None
    assert api.post(f"/delegations/{name}/revoke").status_code == 409


def test_a_run_rests_on_a_delegation_of_ones_own(world: World) -> None:
    name = world.api("operator").post("/delegations", _body()).json()["id"]
    start = {"agent": "clerk", "input": "Hello", "delegation": name}
    assert world.api("builder").post("/runs", start).status_code == 404
    run = world.api("operator").post("/runs", start).json()
    assert run["delegation"] == name
    remit = world.api("viewer").get(f"/runs/{run['id']}/remit").json()
    assert remit["rights"] == [SEARCH]
    assert [link["kind"] for link in remit["links"]] == ["person", "delegation", "version"]
    world.api("operator").post(f"/delegations/{name}/revoke")
    assert world.api("viewer").get(f"/runs/{run['id']}/remit").json()["rights"] == []
    assert world.api("operator").post("/runs", start).status_code == 400


def test_the_page_gives_shows_and_revokes(world: World, visit: Visit) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    form = {"agent": str(world.things["agents"]), "scopes": "tool:*", "audience": "papers remit", "expires_at": end}
    assert visit("/settings/delegations/", "builder", form=form).status_code == 303
    with tenant(world.organisation.id):
        given = DelegationGrant.objects.get(person=world.people["builder"])
    assert given.audience == ["papers", "remit"]
    assert "papers, remit" in visit("/settings/delegations/", "viewer").content.decode()
    assert visit("/settings/delegations/", "viewer", form=form).status_code == 403
    visit(f"/settings/delegations/{given.pk}/revoke/", "builder", form={})
    with tenant(world.organisation.id):
        assert DelegationGrant.objects.get(pk=given.pk).revoked_at is not None


def test_the_page_lets_an_agent_pass_a_part_on(world: World, visit: Visit) -> None:
    helper = make_agent(world, "helper")
    first = world.api("builder").post("/delegations", _body(scopes=["tool:*"])).json()
    theirs = world.api("operator").post("/delegations", _body()).json()
    page = visit("/settings/delegations/", "builder").content.decode()
    assert f'value="{first["id"]}"' in page
    assert f'value="{theirs["id"]}"' not in page, "only of one's own"
    end = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M")
    form = {"agent": str(helper.pk), "scopes": SEARCH, "audience": "papers", "expires_at": end, "parent": first["id"]}
    assert visit("/settings/delegations/", "builder", form=form | {"parent": theirs["id"]}).status_code == 422
    assert visit("/settings/delegations/", "builder", form=form | {"audience": "papers bank"}).status_code == 422
    assert visit("/settings/delegations/", "builder", form=form).status_code == 303
    with tenant(world.organisation.id):
        made = DelegationGrant.objects.get(receiver=helper.principal)
    assert (str(made.parent_id), made.giver_id) == (first["id"], world.things["agents"])
    assert "through" in visit("/settings/delegations/", "builder").content.decode()


def test_a_page_narrows_one_and_never_widens(world: World, visit: Visit) -> None:
    made = world.api("operator").post("/delegations", _body(scopes=["tool:*"], audience=["papers", "remit"])).json()
    page = f"/settings/delegations/{made['id']}/"
    shown = visit(page, "operator").context["form"].initial
    assert (shown["scopes"], shown["audience"]) == ("tool:*", "papers remit")
    assert "Nothing is less" in visit(page, "operator", form=shown).content.decode()
    wider = visit(page, "operator", form=shown | {"scopes": "tool:* agent:clerk"})
    assert (wider.status_code, wider.context["form"].errors["scopes"][0][:4]) == (422, "This")
    later = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert "expires_at" in visit(page, "operator", form=shown | {"expires_at": later}).context["form"].errors
    assert visit(page, "operator", form=shown | {"scopes": SEARCH, "audience": "papers"}).status_code == 303
    narrowed = world.api("operator").get(f"/delegations/{made['id']}").json()
    assert (narrowed["scopes"], narrowed["audience"]) == ([SEARCH], ["papers"])
    assert narrowed["expires_at"] == made["expires_at"], "what was not touched stays, to the second"


def test_a_page_narrows_for_its_giver_and_for_whoever_manages_grants(world: World, visit: Visit) -> None:
    made = world.api("operator").post("/delegations", _body(audience=["papers", "remit"])).json()
    page = f"/settings/delegations/{made['id']}/"
    less = visit(page, "operator").context["form"].initial | {"audience": "papers"}
    refused = visit(page, "builder", form=less)
    assert (refused.status_code, "Only the person who gave it" in refused.content.decode()) == (422, True)
    assert visit(page, "viewer", form=less).status_code == 403
    assert visit("/settings/delegations/", "builder").content.decode().count(f"{page}revoke/") == 0
    assert page in visit("/settings/delegations/", "administrator").content.decode()
    assert visit(page, "administrator", form=less).status_code == 303
    visit(f"{page}revoke/", "administrator", form={})
    assert visit(page, "operator").status_code == 409


def test_the_page_of_a_run_says_in_whose_name(world: World, visit: Visit) -> None:
    page = visit(f"/runs/{world.things['runs']}/", "viewer").content.decode()
    assert "In whose name" in page
    assert SEARCH in page
