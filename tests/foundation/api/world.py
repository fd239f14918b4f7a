"""An organisation with one of everything, a person for each role, one without any (`stranger`), and their keys."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.test import Client

from agents.catalogue.services import add_language_model, add_provider, set_price
from agents.registry.services import activate_agent, create_agent, publish_version, serve_version
from agents.runs.models import Callback, InputRequest, Run, Step, StepKind, StepState
from agents.runs.questions import ANSWER
from agents.runs.services import start_run
from agents.runs.sessions import save_artifact, set_memory
from agents.schedules.plans import Plan
from agents.schedules.services import create_schedule, create_trigger
from agents.tools.models import Tool
from agents.tools.services import add_connector, add_credential
from foundation.access.custom_roles import create_role
from foundation.access.groups import add_member, create_group
from foundation.access.models import Grant
from foundation.access.reviews import open_review
from foundation.access.roles import ROLES
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind, shell_actor
from foundation.delegation.services import give_delegation
from foundation.federation import services as federation
from foundation.identity.models import ApiKey, Principal
from foundation.identity.services import add_person, create_api_key, create_service
from foundation.ids import uuid7
from foundation.invitations.services import invite
from foundation.organisations.models import GrantTarget, Organisation, Team
from foundation.organisations.services import create_organisation, create_team
from foundation.secrets.sealing import seal
from foundation.tenancy.context import tenant
from governance.approvals.models import ApprovalRequest
from governance.budgets.services import set_budget
from governance.policies.models import PolicyDecision
from governance.policies.services import create_policy

EURO = 1_000_000
POLICY = "permit (principal, action, resource);"
BASE = "/api/v1"


class Api:
    """Calls the API over HTTP as whoever holds a key; nobody without one."""

    def __init__(self, key: str | None = None) -> None:
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = Client()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The response; paths below /api/v1 may be written without it."""
        address = path if path.startswith("/api/") else BASE + path
        sent = {"content_type": "application/json", "headers": self._headers | headers}
        if body is not None:
            sent["data"] = body
        return self._client.generic(method.upper(), address, **_encoded(sent))

    def get(self, path: str, **headers: str) -> Any:
        """Read."""
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Do."""
        return self.call("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any) -> Any:
        """Change."""
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """Remove."""
        return self.call("DELETE", path)


def _encoded(sent: dict[str, Any]) -> dict[str, Any]:
    body = sent.pop("data", None)
    return sent if body is None else sent | {"data": body if isinstance(body, str) else json.dumps(body, default=str)}


class _Arriving(dict[str, Any]):
    """What there is by role; who is asked for and not there yet arrives."""

    def __init__(self, arrive: Callable[[str], None]) -> None:
        super().__init__()
        self._arrive = arrive

    def __missing__(self, role: str) -> Any:
        self._arrive(role)
        return self[role]


@dataclass
class World:
    """One organisation. `people` and `keys` by role; `things` holds the id of one row for each resource of the API.

    `canary` stands in every text that a stranger must never read; `expired` is a key that is no longer in force.
    """

    organisation: Organisation
    team: Team
    people: dict[str, Principal] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    things: dict[str, UUID] = field(default_factory=dict)
    expired: str = ""
    canary: str = ""

    @property
    def shell(self) -> Actor:
        """Whoever holds the shell."""
        return shell_actor(self.organisation.id)

    def api(self, role: str = "administrator") -> Api:
        """The API as the person with a role."""
        return Api(self.keys[role])

    def actor(self, role: str) -> Actor:
        """The person with a role."""
        person = self.people[role]
        return Actor(kind=ActorKind.PERSON, name=person.name, principal=person.id, organisation=self.organisation.id)


def make_organisation(slug: str, *, lazily: bool = False) -> World:
    """An organisation with a team, a person for each role, and one without any (`stranger`).

    `lazily`: a person is there from when a test first asks for it, as most ask for two of them.
    """
    # WhiteNoise warns of a folder that is not there, and here a warning is an error.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    canary = f"canary-{uuid7().hex}"
    with transaction.atomic():
        organisation = create_organisation(actor=shell_actor(), slug=f"{slug}-{canary[-12:]}", name=canary)
    with tenant(organisation.id):
        shell = shell_actor(organisation.id)
        team = create_team(actor=shell, organisation=organisation, slug="desk", name=canary, parent=None)
        world = World(organisation, team, canary=canary)
        if lazily:
            world.people = _Arriving(lambda role: _seat(world, role))
            world.keys = _Arriving(lambda role: _seat(world, role))
        else:
            for role in (*ROLES, "stranger"):
                _seat(world, role)
        old, world.expired = create_api_key(actor=shell, principal=world.people["administrator"], name="old")
        ApiKey.objects.filter(pk=old.pk).update(expires_at=datetime.now(UTC) - timedelta(days=1))
    return world


def _seat(world: World, role: str) -> None:
    if role not in {*ROLES, "stranger"}:
        raise KeyError(role)
    organisation, name = world.organisation, f"{role} {world.canary}"
    with tenant(organisation.id):
        person = add_person(
            actor=world.shell, organisation=organisation, email=f"{role}-{uuid7()}@example.org", name=name
        ).principal
        if role in ROLES:
            root = GrantTarget.objects.get(pk=organisation.id)
            grant(actor=world.shell, principal=person, role=role, target=root)
        world.people[role] = person
        world.keys[role] = create_api_key(actor=world.shell, principal=person, name=world.canary)[1]


def furnish(world: World) -> World:
    """One row of every resource that the API knows."""
    with tenant(world.organisation.id):
        shell, organisation, canary = world.shell, world.organisation, world.canary
        provider = add_provider(
            actor=shell,
            slug="house",
            name=canary,
            base_url="https://models.example.org/v1",
            api="responses",
            key=f"secret-{canary}",
        )
        model = add_language_model(
            actor=shell, provider=provider, slug="small", name=canary, wire_name=canary, context_window=8_000,
            max_output=2_000,
        )  # fmt: skip
        set_price(
            actor=shell, language_model=model, currency="EUR", input_per_million=EURO, output_per_million=2 * EURO
        )
        credential = add_credential(actor=shell, name=canary, secret=f"secret-{canary}")
        connector = add_connector(
            actor=shell, slug="papers", name=canary, kind="documents", settings={"documents": {canary: canary}},
            credential=credential,
        )  # fmt: skip
        agent = create_agent(
            actor=shell,
            team=world.team,
            slug="clerk",
            name=canary,
            purpose=canary,
            sponsor=world.people["administrator"],
        )
        version = publish_version(
            actor=shell, agent=agent, instructions=canary, language_model=model, tools=["papers.search"],
            delegates=[],
        )  # fmt: skip
        agent = serve_version(actor=shell, agent=agent, version=version)
        agent = activate_agent(actor=shell, agent=agent)
        policy = create_policy(actor=shell, slug="all", name=canary, source=f"// {canary}\n{POLICY}")
        budget = set_budget(
            actor=shell, scope="organisation", scope_id=organisation.id, currency="EUR", limit=100 * EURO,
            target=GrantTarget.objects.get(pk=organisation.id),
        )  # fmt: skip
        run = start_run(actor=world.actor("operator"), agent=agent, title=canary, input=canary)
        file = save_artifact(actor=shell, session=run.session, name=canary, media_type="text/plain",
                             content=canary.encode())  # fmt: skip
        set_memory(actor=shell, session=run.session, name="canary", value=canary)
        service = create_service(actor=shell, organisation=organisation, name=canary)
        hourly = Plan(name=canary, kind="cron", expression="0 * * * *", input=canary)
        schedule = create_schedule(actor=world.actor("builder"), agent=agent, plan=hourly)
        trigger, _ = create_trigger(actor=world.actor("builder"), agent=agent, name=canary)
        delegation = give_delegation(
            actor=world.actor("operator"), receiver=agent.principal, scopes=["tool:papers.search"], audience=["papers"],
            expires_at=datetime.now(UTC) + timedelta(hours=2), reason=canary,
        )  # fmt: skip
        own_role = create_role(actor=shell, slug="own", name=canary, description=canary, permissions=["run.view"])
        group = create_group(actor=shell, name=canary)
        add_member(actor=shell, group=group, member=world.people["operator"])
        crew = create_group(actor=shell, name=f"crew {canary}")
        grant(actor=shell, principal=crew, role="viewer", target=world.team.target)
        review = open_review(actor=world.actor("administrator"), target=world.team.target, name=canary)
        identity_provider = federation.add_provider(
            actor=shell, slug=f"id-{uuid7().hex[-12:]}", name=canary, issuer="https://id.example.org", client_id=canary,
            secret=f"secret-{canary}", domains=[f"{uuid7().hex[-12:]}.example"],
        )  # fmt: skip
        root = GrantTarget.objects.get(pk=organisation.id)
        mapping = federation.map_group(
            actor=shell, provider=identity_provider, group=canary, role="viewer", target=root
        )
        invited = invite(
            actor=world.actor("administrator"), organisation=organisation, email=f"invited-{uuid7()}@example.org",
            name=canary, role="viewer", target=root,
        )  # fmt: skip
        world.things = {
            "identity-providers": identity_provider.id, "group-mappings": mapping.id,
            "invitations": invited.invitation.id,
            "roles": own_role.id, "groups": group.id, "reviews": review.id, "review-items": review.items.get().id,
            "teams": world.team.id, "people": world.people["viewer"].id, "services": service.id,
            "grants": Grant.objects.get(principal=world.people["viewer"]).id,
            "api-keys": ApiKey.objects.get(principal=world.people["viewer"]).id, "providers": provider.id,
            "language-models": model.id, "credentials": credential.id, "connectors": connector.id,
            "tools": Tool.objects.get(name="papers.search").id, "agents": agent.id, "sessions": run.session_id,
            "artifacts": file.id,
            "runs": run.id, "policies": policy.id, "budgets": budget.id,
            "schedules": schedule.id, "triggers": trigger.id, "delegations": delegation.id,
        }  # fmt: skip
    world.things |= judge(run)
    return world


def judge(run: Run) -> dict[str, UUID]:
    """A step of a run with its decision, and an ask that waits, written as the engine writes them."""
    decision = uuid7()
    common: Mapping[str, Any] = {"organisation_id": run.organisation_id, "target_id": run.target_id}
    Step.objects.using("engine").create(
        run_id=run.id, number=1, organisation_id=run.organisation_id, kind=StepKind.TOOL_CALL, state=StepState.WAITING,
        name="papers.search", decision_id=decision, input={"query": run.title},
    )  # fmt: skip
    PolicyDecision.objects.using("engine").create(
        id=decision, **common, run_id=run.id, step=1, kind="tool_call", name="papers.search", effect="ask",
        policy_effect="ask", digest="sha256:1", generation=1, facts_digest="sha256:2",
    )  # fmt: skip
    ask = ApprovalRequest.objects.using("engine").create(
        **common, run=run, requester_id=run.requester_id, step=1, decision_id=decision, tool="papers.search",
        arguments={"query": run.title}, digest="sha256:1", generation=1, label={}, question=run.title,
        approvers=["approver"], expires_at=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    return {"decisions": decision, "approvals": ask.id, **wait_for_all(run)}


def wait_for_all(run: Run) -> dict[str, UUID]:
    """A question to people, and an address for a call from outside."""
    ends, callback = datetime.now(UTC) + timedelta(hours=1), uuid7()
    asked = InputRequest.objects.using("engine").create(
        organisation_id=run.organisation_id, run=run, step=1, question=run.title, schema=ANSWER, expires_at=ends,
    )  # fmt: skip
    Callback.objects.using("engine").create(
        id=callback, organisation_id=run.organisation_id, run=run, step=1, name=run.title, expires_at=ends,
        sealed_secret=seal(f"secret-{run.title}", context=f"callback:{callback}"),
    )  # fmt: skip
    return {"questions": asked.id, "callbacks": callback}
