"""Exchanging tokens over HTTP: from a person to an agent, from there to a sub-agent, never to more than was given."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

import foundation.api.doors
from agents.registry.models import Agent
from agents.registry.services import activate_agent, create_agent, publish_version, serve_version, suspend_agent
from agents.tools.services import add_connector
from foundation.audit.models import AuditEntry
from foundation.delegation.models import DelegationGrant
from foundation.delegation.services import give_delegation, narrow_delegation, revoke_delegation
from foundation.identity.services import suspend_principal
from foundation.ids import uuid7
from foundation.instants import database_now
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World, make_organisation

__all__ = ["world"]  # fixtures
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS, JWT = "urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"
READ = "tool:papers.read"
SEARCH = "tool:papers.search"


def make_agent(world: World, slug: str) -> Agent:
    with tenant(world.organisation.id):
        clerk = Agent.objects.get(slug="clerk")
        assert clerk.serving is not None
        made = create_agent(actor=world.shell, team=world.team, slug=slug, name=slug.title(), purpose="",
                            sponsor=world.people["administrator"])  # fmt: skip
        version = publish_version(actor=world.shell, agent=made, instructions="x", tools=["papers.search"],
                                  language_model=clerk.serving.language_model, delegates=[])  # fmt: skip
        serve_version(actor=world.shell, agent=made, version=version)
        return activate_agent(actor=world.shell, agent=made)


def give(world: World, to: Agent, scopes: list[str], audience: list[str], parent: Any = None) -> DelegationGrant:
    with tenant(world.organisation.id):
        return give_delegation(
            actor=world.actor("operator"), receiver=to.principal, scopes=scopes, audience=audience,
            expires_at=parent.expires_at if parent else database_now() + timedelta(hours=1), parent=parent,
        )  # fmt: skip


def ask(client: Client | None = None, /, **fields: Any) -> Any:
    form = {"grant_type": EXCHANGE, "subject_token_type": ACCESS} | fields
    sent = urlencode({name: value for name, value in form.items() if value is not None}, doseq=True)
    return (client or caller()).post("/api/v1/token", sent, content_type="application/x-www-form-urlencoded")


def caller() -> Client:
    """Somebody at an address of their own: refusals are counted by the address, over all tests."""
    return Client(REMOTE_ADDR=f"2001:db8:{uuid7().hex[-4:]}:{uuid7().hex[-8:-4]}::1")


def read(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said


@pytest.fixture
def clerk(world: World) -> Agent:
    """The agent of the world, which may search papers, and to which nobody has delegated anything yet."""
    with tenant(world.organisation.id):
        DelegationGrant.objects.update(revoked_at=database_now())
        return Agent.objects.select_related("principal").get(slug="clerk")


def test_from_a_person_to_an_agent(world: World, clerk: Agent) -> None:
    delegation = give(world, clerk, [SEARCH, READ, "run.view"], ["papers", "remit"])
    answer = ask(subject_token=world.keys["operator"], requested_actor="clerk", audience="papers")
    assert answer.status_code == 200, answer.content
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    said = answer.json()
    assert (said["token_type"], said["issued_token_type"], said["scope"]) == ("Bearer", JWT, SEARCH)
    claims = read(said["access_token"])
    assert 0 < said["expires_in"] == claims["exp"] - claims["iat"] <= 600
    assert (claims["sub"], claims["aud"], claims["delegation"]) == (str(clerk.pk), "papers", str(delegation.pk))
    assert claims["on_behalf_of"] == [{"sub": str(world.people["operator"].id), "kind": "person"}]
    asked = {"token": said["access_token"], "audience": "papers", "once": True}
    told = world.api("viewer").post("/introspect", asked).json()
    assert (told["active"], told["sub"], told["scope"]) == (True, str(clerk.pk), SEARCH)
    assert world.api("viewer").post("/introspect", asked).json() == {"active": False}, "replayed"
    with tenant(world.organisation.id):
        entry = AuditEntry.objects.get(action="token.exchange", outcome="ok")
        assert (entry.actor_id, entry.target_id) == (world.people["operator"].id, clerk.pk)


def test_from_an_agent_to_its_sub_agent(world: World, clerk: Agent) -> None:
    helper = make_agent(world, "helper")
    first = give(world, clerk, [SEARCH, READ], ["papers", "remit"])
    give(world, helper, [SEARCH], ["papers"], parent=first)
    mine = ask(subject_token=world.keys["operator"], requested_actor="clerk", audience="remit").json()["access_token"]
    answer = ask(subject_token=mine, subject_token_type=JWT, requested_actor=str(helper.pk), audience="papers")
    assert answer.status_code == 200, answer.content
    claims = read(answer.json()["access_token"])
    assert [one["sub"] for one in claims["on_behalf_of"]] == [str(clerk.pk), str(world.people["operator"].id)]
    assert (claims["sub"], claims["scope"]) == (str(helper.pk), SEARCH)
    assert claims["exp"] <= read(mine)["exp"]
    again = ask(subject_token=mine, subject_token_type=JWT, requested_actor="helper", audience="papers")
    assert (again.status_code, again.json()["error_description"]) == (400, "The token was used already.")


def test_an_actor_token_proves_which_agent_asks(world: World, clerk: Agent) -> None:
    helper = make_agent(world, "helper")
    first = give(world, clerk, [SEARCH], ["papers", "remit"])
    give(world, helper, [SEARCH], ["papers", "remit"])
    give(world, helper, [SEARCH], ["papers"], parent=first)
    mine = ask(subject_token=world.keys["operator"], requested_actor="clerk", audience="remit").json()["access_token"]
    theirs = ask(subject_token=world.keys["operator"], requested_actor="helper", audience="remit").json()
    proof = {"actor_token": theirs["access_token"], "actor_token_type": JWT}
    wrong = ask(subject_token=mine, subject_token_type=JWT, requested_actor="clerk", audience="papers", **proof)
    assert wrong.json()["error"] == "invalid_request"
    answer = ask(subject_token=mine, subject_token_type=JWT, audience="papers", **proof)
    assert read(answer.json()["access_token"])["sub"] == str(helper.pk)


def test_an_agent_asks_for_less(world: World, clerk: Agent) -> None:
    with tenant(world.organisation.id):
        version = publish_version(
            actor=world.shell,
            agent=clerk,
            instructions="x",
            delegates=[],
            tools=["papers.search", "papers.read"],
            language_model=Agent.objects.get(pk=clerk.pk).serving.language_model,
        )  # type: ignore[union-attr]  # it serves one
        serve_version(actor=world.shell, agent=clerk, version=version)
    give(world, clerk, ["tool:papers.*"], ["papers", "remit"])
    mine = ask(subject_token=world.keys["operator"], requested_actor="clerk", audience="remit").json()
    assert mine["scope"] == f"{READ} {SEARCH}"
    answer = ask(subject_token=mine["access_token"], subject_token_type=JWT, audience="papers", scope=READ).json()
    assert (answer["scope"], read(answer["access_token"])["aud"]) == (READ, "papers")


def test_an_agent_with_more_tools_than_a_token_holds_names_what_it_wants(world: World, clerk: Agent) -> None:
    query = {"description": "Reads.", "sql": "SELECT 1", "schema": {"type": "object", "properties": {}}}
    with tenant(world.organisation.id):
        queries = {f"{number:03}-{'x' * 70}": query for number in range(300)}
        add_connector(actor=world.shell, slug="many", name="Many", kind="sql", settings={"queries": queries})
        names = [f"many.{one}" for one in queries]
        assert clerk.serving is not None
        version = publish_version(actor=world.shell, agent=clerk, instructions="x", delegates=[], tools=names,
                                  language_model=clerk.serving.language_model)  # fmt: skip
        serve_version(actor=world.shell, agent=clerk, version=version)
    give(world, clerk, ["tool:*"], ["many"])
    asked = {"subject_token": world.keys["operator"], "requested_actor": "clerk", "audience": "many"}
    answer = ask(**asked)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert "300" in answer.json()["error_description"]
    assert ask(**asked, scope=" ".join(f"tool:{one}" for one in names[:40])).status_code == 200


def test_who_asks_too_fast_waits_for_a_minute_at_most(
    world: World, clerk: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is in force is no refusal, which would shut the address out for a quarter of an hour."""
    give(world, clerk, [SEARCH], ["papers"])
    client, asked = caller(), {"subject_token": world.keys["operator"], "requested_actor": "clerk"}
    monkeypatch.setattr(foundation.api.doors, "PER_DOOR", 0)
    for _ in range(foundation.api.doors.PER_ADDRESS + 1):
        answer = ask(client, **asked)
        assert (answer.status_code, int(answer["Retry-After"]) <= 60) == (429, True)
    monkeypatch.setattr(foundation.api.doors, "PER_DOOR", 600)
    assert ask(client, **asked).status_code == 200


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another grant type": ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    "no grant type": ({"grant_type": None}, "unsupported_grant_type"),
    "no subject": ({"subject_token": None}, "invalid_request"),
    "no type": ({"subject_token_type": None}, "invalid_request"),
    "another type": ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
    "another type wanted": ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
    "an unknown key": ({"subject_token": "rk_0123456789_" + "a" * 64}, "invalid_request"),
    "garbage": ({"subject_token": "garbage"}, "invalid_request"),
    "no agent": ({"requested_actor": None}, "invalid_request"),
    "an unknown agent": ({"requested_actor": "nobody"}, "invalid_request"),
    "an audience that was not given": ({"audience": "bank"}, "invalid_target"),
    "no audience of two": ({"audience": None}, "invalid_target"),
    "a scope that was not given": ({"scope": "tool:papers.burn"}, "invalid_scope"),
    "a scope that the agent has not": ({"scope": READ}, "invalid_scope"),
    "every scope": ({"scope": "tool:*"}, "invalid_scope"),
    "a scope without end": ({"scope": "tool:" + "a" * 16_000}, "invalid_request"),
    "an audience without end": ({"audience": "a" * 16_000}, "invalid_request"),
    "audiences without end": ({"audience": ["a"] * 101}, "invalid_request"),
    "twice": ({"scope": [SEARCH, READ]}, "invalid_request"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_given_is_not_got(world: World, clerk: Agent, name: str) -> None:
    give(world, clerk, [SEARCH, READ], ["papers", "remit"])
    fields, code = REFUSED[name]
    good = {"subject_token": world.keys["operator"], "requested_actor": "clerk", "audience": "papers"}
    answer = ask(**(good | fields))
    assert (answer.status_code, answer.json()["error"]) == (400, code), answer.content
    assert world.keys["operator"] not in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"


def test_only_a_form_is_read(world: World) -> None:
    answer = caller().post("/api/v1/token", {"grant_type": EXCHANGE}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert caller().get("/api/v1/token").status_code == 400


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_nothing_at_all_is_told_what_to_send(world: World, kind: str) -> None:
    answer = caller().generic("POST", "/api/v1/token", b"", headers={"content-type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_request", "unsupported_grant_type"}


def _is_over(world: World, how: str, clerk: Agent, delegation: DelegationGrant) -> None:
    lead = world.actor("administrator")
    match how:
        case "revoked":
            revoke_delegation(actor=world.actor("operator"), delegation=delegation)
        case "expired":
            DelegationGrant.objects.filter(pk=delegation.pk).update(expires_at=database_now())
        case "narrowed":
            narrow_delegation(actor=world.actor("operator"), delegation=delegation, scopes=[READ])
        case "person suspended":
            suspend_principal(actor=lead, principal=world.people["operator"], reason="Away")
        case "agent suspended":
            suspend_agent(actor=lead, agent=clerk, reason="Away")
        case "sponsor suspended":
            suspend_principal(actor=world.shell, principal=world.people["administrator"], reason="Away")


@pytest.mark.parametrize("how", ["revoked", "expired", "narrowed", "person suspended", "agent suspended",
                                 "sponsor suspended"])  # fmt: skip
def test_what_is_over_gives_nothing(world: World, clerk: Agent, how: str) -> None:
    delegation = give(world, clerk, [SEARCH, READ], ["papers"])
    form = {"subject_token": world.keys["operator"], "requested_actor": "clerk", "audience": "papers", "scope": SEARCH}
    assert ask(**form).status_code == 200
    with tenant(world.organisation.id):
        _is_over(world, how, clerk, delegation)
    answer = ask(**form)
    assert answer.status_code == 400, answer.content
    with tenant(world.organisation.id):
        refusals = AuditEntry.objects.filter(action__in=["token.exchange", "key.authenticate"], outcome="denied")
        assert refusals.exists()


def test_what_a_person_may_not_an_agent_gets_from_nobody(world: World, clerk: Agent) -> None:
    answer = ask(subject_token=world.keys["viewer"], requested_actor="clerk", audience="papers")
    assert answer.json()["error"] == "invalid_request", "the viewer has given nothing"
    assert "nobody lets it act" in answer.json()["error_description"]


def test_the_public_keys_and_the_addresses_are_published(world: World) -> None:
    keys = Client().get("/.well-known/jwks.json")
    assert keys["Content-Type"] == "application/jwk-set+json"
    assert [key["crv"] for key in keys.json()["keys"]][:1] == ["Ed25519"]
    assert all("d" not in key for key in keys.json()["keys"])
    said = Client().get("/.well-known/oauth-authorization-server").json()
    assert said["jwks_uri"] == f"{said['issuer']}/.well-known/jwks.json"


def test_tokens_of_another_organisation_are_not_active(world: World, clerk: Agent) -> None:
    give(world, clerk, [SEARCH], ["papers"])
    token = ask(subject_token=world.keys["operator"], requested_actor="clerk").json()["access_token"]
    other = make_organisation("other")
    assert other.api().post("/introspect", {"token": token, "audience": "papers"}).json() == {"active": False}
    assert world.api().post("/introspect", {"token": token, "audience": "bank"}).json() == {"active": False}
    assert world.api().post("/introspect", {"token": token, "audience": "papers"}).json()["active"] is True


def test_nobody_learns_at_this_door_which_agents_there_are(world: World, clerk: Agent) -> None:
    """One that is there and one that is not, by name and by id: the same words to whoever lets none of them act."""
    nobody = ask(subject_token=world.keys["viewer"], requested_actor="nobody", audience="papers")
    assert nobody.status_code == 400
    for name in (clerk.slug, str(clerk.pk), str(uuid7())):
        assert ask(subject_token=world.keys["viewer"], requested_actor=name, audience="papers").json() == nobody.json()


def test_nor_does_an_agent_with_a_token(world: World, clerk: Agent) -> None:
    aside = make_agent(world, "aside")
    give(world, clerk, [SEARCH], ["remit"])
    said = []
    for name in (aside.slug, str(aside.pk), "nobody"):
        mine = ask(subject_token=world.keys["operator"], requested_actor="clerk", audience="remit").json()
        said.append(ask(subject_token=mine["access_token"], subject_token_type=JWT, requested_actor=name,
                        audience="remit"))  # fmt: skip
    assert {answer.status_code for answer in said} == {400}
    assert said[0].json() == said[1].json() == said[2].json()
    assert "(any more)" in said[0].json()["error_description"]
