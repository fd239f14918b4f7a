"""A tool that runs elsewhere is told who calls it, for whom and in which run, and can find out whether that holds."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version, suspend_agent
from agents.runs.models import Run
from agents.runs.remit import remit_of
from agents.runs.run_tokens import check_token
from agents.runs.services import start_run
from agents.tools.models import Connector
from agents.tools.port import ToolDefinition, ToolEffect, ToolOutput, ToolRequest
from agents.tools.services import add_connector, identify_calls
from foundation.access.models import Grant
from foundation.actors import Actor, ActorKind
from foundation.delegation.models import DelegationGrant
from foundation.delegation.services import give_delegation, narrow_delegation, revoke_delegation
from foundation.delegation.tokens import TokenRefusedError, verify
from foundation.identity.models import Principal
from foundation.identity.services import create_service
from foundation.ids import uuid7
from foundation.instants import database_now
from foundation.outbound.client import client
from tests.servers import serving

PATH = "/refund"


class ShopKind:
    """A connector over HTTP, as one in life is: through the outbound client, with the headers that it was given."""

    def definitions(self, settings: Any) -> list[ToolDefinition]:  # noqa: ARG002 - the port
        return [
            ToolDefinition(name=name, description=f"{name} in the shop", effect=ToolEffect.EFFECT,
                           schema={"type": "object", "properties": {}})
            for name in ("refund", "delete")
        ]  # fmt: skip

    def call(self, request: ToolRequest) -> ToolOutput:
        with client(timeout=10, purpose="shop") as http:
            answer = http.post(request.settings["url"] + PATH, headers=dict(request.headers))
        return ToolOutput(answer.json())


@pytest.fixture
def shop(settings: Any) -> Iterator[list[dict[str, str]]]:
    """A server that keeps the headers of each call, and sends them back."""
    heard: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append({name.lower(): value for name, value in self.headers.items()})
            body = json.dumps({"you sent": heard[-1]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        address = f"127.0.0.1:{port}"
        settings.REMIT_OUTBOUND_ALLOW = (*settings.REMIT_OUTBOUND_ALLOW, address)
        settings.CONNECTOR_KINDS = {**settings.CONNECTOR_KINDS, "shop": f"{__name__}.ShopKind"}
        heard.append({"address": f"http://{address}"})
        yield heard


def publish(house: Any, tools: list[str]) -> Agent:
    """The house's agent with other tools."""
    with house.in_tenant():
        version = publish_version(actor=house.owner, agent=house.agent, instructions="worker", tools=tools,
                                  language_model=house.language_model, delegates=[], max_output_tokens=100,
                                  run_budget=1_000_000)  # fmt: skip
        return serve_version(actor=house.owner, agent=Agent.objects.get(pk=house.agent.pk), version=version)


@pytest.fixture
def connected(house: Any, shop: list[dict[str, str]], call: Any, say: Any) -> Any:
    """The house, whose agent refunds at the shop, which is told who calls."""
    url = shop.pop()["address"]
    with house.in_tenant():
        connector = add_connector(actor=house.owner, slug="shop", name="Shop", kind="shop", settings={"url": url})
        identify_calls(actor=house.owner, connector=connector, token_header="authorization")
    house.agent = publish(house, ["shop.refund", "witness.read"])
    house.model.answers = {"worker": [call("shop.refund"), say("Done.")]}
    return house


def token_in(heard: list[dict[str, str]]) -> str:
    return heard[-1]["authorization"].removeprefix("Bearer ")


def change(house: Any, **how: Any) -> None:
    with house.in_tenant():
        identify_calls(actor=house.owner, connector=Connector.objects.get(slug="shop"), **how)


def delegate(house: Any, scopes: list[str], audience: list[str], hours: int = 1) -> Any:
    with house.in_tenant():
        return give_delegation(
            actor=house.owner, receiver=Principal.objects.get(pk=house.agent.pk), scopes=scopes, audience=audience,
            expires_at=database_now() + timedelta(hours=hours),
        )  # fmt: skip


def start_under(house: Any, delegation: Any) -> Run:
    with house.in_tenant():
        return start_run(actor=house.owner, agent=house.agent, title="t", input="x", delegation=delegation)


def test_a_tool_is_told_who_calls_for_whom_and_in_which_run(connected: Any, shop: list[dict[str, str]]) -> None:
    run = connected.run(connected.start())
    assert run.state == "succeeded", run.failure
    claims = verify(token_in(shop), audience="shop", now=database_now())
    assert (claims.agent, claims.agent_slug, claims.run) == (connected.agent.pk, "worker", run.pk)
    assert (claims.organisation, claims.person) == (connected.organisation.id, connected.owner.principal)
    assert claims.scopes == {"tool:shop.refund"}, "what it may do there, and nothing of what it may do elsewhere"
    assert claims.expires_at <= min(run.deadline, claims.issued_at + timedelta(seconds=600))


def test_what_the_tool_sends_back_holds_no_token(connected: Any, shop: list[dict[str, str]]) -> None:
    run = connected.run(connected.start())
    written = json.dumps([step.output for step in connected.steps(run)])
    assert "you sent" in written
    assert token_in(shop) not in written


def test_a_run_nears_its_end_and_so_does_its_token(connected: Any, shop: list[dict[str, str]]) -> None:
    run = connected.start()
    with connected.in_tenant():
        soon = database_now() + timedelta(seconds=90)
        Run.objects.filter(pk=run.pk).update(deadline=soon)
    connected.run(run)
    claims = verify(token_in(shop), audience="shop", now=database_now())
    assert claims.expires_at <= soon


def test_a_connector_says_where_and_for_whom(connected: Any, shop: list[dict[str, str]]) -> None:
    change(connected, token_header="remit-run-token", audience="https://shop.example.org")
    connected.run(connected.start())
    assert "authorization" not in shop[-1]
    assert verify(shop[-1]["remit-run-token"], audience="https://shop.example.org", now=database_now())
    change(connected, token_header="")
    connected.run(connected.start())
    assert not {"authorization", "remit-run-token"} & shop[-1].keys()


def ended(house: Any, run: Run) -> None:
    """Nothing more: the run has ended by itself."""


def suspended(house: Any, run: Run) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", ended_at=None)
        suspend_agent(actor=house.owner, agent=house.agent, reason="Stop")


def person_gone(house: Any, run: Run) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", ended_at=None)
        Principal.objects.filter(pk=house.owner.principal).update(state="suspended")


def revoked(house: Any, run: Run) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", ended_at=None)
        revoke_delegation(actor=house.owner, delegation=DelegationGrant.objects.get())


def narrowed(house: Any, run: Run) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", ended_at=None)
        narrow_delegation(actor=house.owner, delegation=DelegationGrant.objects.get(), audience=["remit"])


def withdrawn(house: Any, run: Run) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", ended_at=None)
        Grant.objects.filter(principal=house.owner.principal).delete()


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (narrowed, "this audience"),
        (withdrawn, "may be done any more"),
        (ended, "ended"),
        (suspended, "may not act"),
        (person_gone, "may not act"),
        (revoked, "over"),
    ],
)
def test_a_stolen_token_opens_nothing(connected: Any, shop: list[dict[str, str]], after: Any, said: str) -> None:
    run = connected.run(start_under(connected, delegate(connected, ["tool:shop.refund"], ["remit", "shop"])))
    token = token_in(shop)
    after(connected, run)
    with connected.in_tenant(), pytest.raises(TokenRefusedError, match=said):
        check_token(token, audience="shop", now=database_now(), organisation=connected.organisation.id)


def test_the_chain_is_asked_for_once(connected: Any, shop: list[dict[str, str]]) -> None:
    run = connected.run(connected.start())
    with connected.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", ended_at=None)
        with CaptureQueriesContext(connection) as asked:
            check_token(token_in(shop), audience="shop", now=database_now(), organisation=connected.organisation.id)
    chains = [one["sql"] for one in asked if 'FROM "identity_principal"' in one["sql"] and "LIMIT" not in one["sql"]]
    assert len(chains) == 1


def test_a_token_that_counts_once_is_refused_the_second_time(
    connected: Any, make_house: Any, shop: list[dict[str, str]]
) -> None:
    run = connected.run(connected.start())
    given = {"audience": "shop", "now": database_now(), "organisation": connected.organisation.id}
    with connected.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", ended_at=None)
        assert check_token(token_in(shop), **given, once=True).run == run.pk
    with connected.in_tenant(), pytest.raises(TokenRefusedError, match="used already"):
        check_token(token_in(shop), **given, once=True)
    with connected.in_tenant(), pytest.raises(TokenRefusedError, match="another run"):
        check_token(token_in(shop), **given, run=uuid7())
    other = make_house()
    with other.in_tenant(), pytest.raises(TokenRefusedError, match="another organisation"):
        check_token(token_in(shop), **(given | {"organisation": other.organisation.id}))


def test_a_tool_that_wants_a_person_is_not_called_by_an_agent_alone(
    connected: Any, shop: list[dict[str, str]]
) -> None:  # fmt: skip
    change(connected, token_header="authorization", on_behalf_of=True)
    with connected.in_tenant():
        robot = create_service(actor=connected.owner, organisation=connected.organisation, name="Robot")
        service = Actor(kind=ActorKind.SERVICE, name="Robot", principal=robot.pk, organisation=robot.organisation_id)
        alone = start_run(actor=service, agent=connected.agent, title="t", input="x")
    run = connected.run(alone)
    refused = [step for step in connected.steps(run) if step.state == "refused"]
    assert [step.name for step in refused] == ["shop.refund"]
    assert "service identity" in refused[0].error
    assert shop == []
    assert connected.run(connected.start()).state == "succeeded"
    assert verify(token_in(shop), audience="shop", now=database_now()).person == connected.owner.principal


@pytest.mark.parametrize(
    ("scopes", "audience", "said"),
    [
        (["tool:shop.refund"], ["shop"], ""),
        (["tool:shop.*"], ["shop", "bank"], ""),
        (["tool:witness.read"], ["shop"], "does not cover tool:shop.refund"),
        (["tool:shop.refund"], ["bank"], "does not reach shop"),
    ],
)
def test_a_delegation_bounds_the_run(
    connected: Any, shop: list[dict[str, str]], scopes: list[str], audience: list[str], said: str
) -> None:
    run = connected.run(start_under(connected, delegate(connected, scopes, audience)))
    refused = " ".join(step.error for step in connected.steps(run) if step.state == "refused")
    assert said in refused if said else not refused
    assert len(shop) == (0 if said else 1)


def test_what_was_revoked_stops_a_run_that_goes_on(connected: Any, shop: list[dict[str, str]]) -> None:
    delegation = delegate(connected, ["tool:shop.refund"], ["shop"])
    run = start_under(connected, delegation)
    with connected.in_tenant():
        revoke_delegation(actor=connected.owner, delegation=delegation)
    assert connected.run(run).state == "failed"
    assert shop == []


def test_the_remit_of_a_run_is_shown_link_by_link(connected: Any) -> None:
    run = start_under(connected, delegate(connected, ["tool:shop.*", "tool:witness.effect"], ["shop"]))
    with connected.in_tenant():
        remit = remit_of(run, run.version, database_now())
        assert [link.kind for link in remit.links] == ["person", "delegation", "version"]
        assert remit.rights == {"tool:shop.refund"}
        Grant.objects.filter(principal_id=connected.owner.principal).delete()
        assert remit_of(run, run.version, database_now()).rights == frozenset(), "who may not start it, lends nothing"
