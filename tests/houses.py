"""A house: an organisation with an agent, a model that says what a test tells it to, and a tool that leaves a trace."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from agents.catalogue.models import LanguageModel
from agents.catalogue.services import add_language_model, add_provider, set_price
from agents.registry.models import Agent
from agents.registry.services import activate_agent, create_agent, publish_version, serve_version
from agents.runs.engine import advance
from agents.runs.leases import keeper
from agents.runs.models import ENDED, Event, Run, Step
from agents.runs.services import start_run
from agents.tools.port import ToolDefinition, ToolEffect, ToolOutput, ToolRefusedError, ToolRequest
from agents.tools.services import add_connector, add_credential
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind, shell_actor
from foundation.identity.services import add_person
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget, Organisation, Team
from foundation.organisations.services import create_organisation, create_team
from foundation.tenancy.context import tenant
from governance.budgets.services import set_budget
from governance.policies.services import create_policy
from tests.barriers import passing
from tests.servers import serving

EURO = 1_000_000


class WitnessKind:
    """A connector kind whose calls are written, one line each, into a file that survives any crash."""

    def definitions(self, settings: Mapping[str, Any]) -> list[ToolDefinition]:  # noqa: ARG002 - the port's
        """One operation for each effect."""
        schema = {"type": "object", "properties": {"note": {"type": "string"}, "amount": {"type": "integer"}},
                  "required": ["note"], "additionalProperties": False}  # fmt: skip
        return [ToolDefinition(name=effect.value, description=f"Writes a line ({effect.value}).", schema=schema,
                               effect=effect) for effect in ToolEffect]  # fmt: skip

    def call(self, request: ToolRequest) -> ToolOutput:
        """Write the line. A note may say refuse, break (after the line), die before, die after (once), slow."""
        note = request.arguments["note"]
        if note.startswith("refuse"):
            raise ToolRefusedError("The witness does not want to.")
        file = Path(request.settings["file"])
        _die(note, "before", file)
        with passing(file, request.operation, request.idempotency_key) as written:
            with file.open("a") as lines:
                lines.write(json.dumps([request.operation, request.idempotency_key, note]) + "\n")
            written()
        if note.startswith("slow"):
            time.sleep(0.3)
        _die(note, "after", file)
        if note.startswith("echo"):
            return ToolOutput({f"sent {request.secret}": [f"Bearer {request.secret}", {"again": request.secret}]})
        if note.startswith("tell"):
            raise ToolRefusedError(f"I do not know {request.secret}.")
        if note.startswith("fault"):
            raise RuntimeError(request.secret)
        if note.startswith("break"):
            raise ConnectionResetError
        return ToolOutput({"written": note})


def _die(note: str, moment: str, file: Path) -> None:
    mark = file.with_suffix(f".{moment}")
    if note.startswith(f"die {moment}") and (note.endswith("always") or not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def says(text: str) -> list[dict[str, Any]]:
    """A model's answer in words."""
    return [{"type": "message", "id": "m", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": text, "annotations": []}]}]  # fmt: skip


def calls(name: str, /, **arguments: Any) -> list[dict[str, Any]]:
    """A model's wish to call a tool."""
    return [{"type": "function_call", "id": "f", "call_id": f"call_{uuid7()}", "name": name.replace(".", "__"),
             "arguments": json.dumps(arguments), "status": "completed"}]  # fmt: skip


USAGE = {
    "input_tokens": 100, "output_tokens": 10, "total_tokens": 110, "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip


@dataclass
class ScriptedModel:
    """An OpenAI-compatible endpoint: its answers by turns, chosen by the number of items that the request holds.

    It keeps everybody waiting while `answering` is not set, and tells how many tokens it took if it `counts`.
    """

    answers: dict[str, list[list[dict[str, Any]]]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    fail_with: list[int] = field(default_factory=list)
    fail_message: str = "no"
    retry_after: str = ""
    url: str = ""
    counts: bool = True
    answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    def answer(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The next turn of the agent whose instructions are in the request."""
        turn = sum(1 for item in request["input"] if item.get("type") == "function_call_output")
        turns = self.answers[request["instructions"]]
        return turns[min(turn, len(turns) - 1)]


@pytest.fixture
def model(settings: Any) -> Iterator[ScriptedModel]:
    """The endpoint, on loopback."""
    scripted = ScriptedModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                self._answer()
            finally:
                # A test may have the model do something in the database, in this thread.
                connections.close_all()

        def _answer(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            scripted.asked.append(request)
            scripted.keys.append(self.headers.get("Authorization", ""))
            scripted.answering.wait(60)
            if scripted.fail_with:
                self._send(
                    scripted.fail_with.pop(0), {"error": {"message": scripted.fail_message, "type": "x", "code": "x"}}
                )
                return
            self._send(200, {
                "id": "resp", "object": "response", "created_at": 0, "model": request["model"], "status": "completed",
                "output": scripted.answer(request), "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
                "usage": USAGE if scripted.counts else None,
            })  # fmt: skip

        def _send(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status != 200 and scripted.retry_after:
                self.send_header("Retry-After", scripted.retry_after)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256  # many runs ask at once

    with serving(Server(("127.0.0.1", 0), Handler)) as port:
        scripted.url = f"http://127.0.0.1:{port}/v1"
        settings.REMIT_OUTBOUND_ALLOW = (f"127.0.0.1:{port}",)
        yield scripted


@dataclass
class House:
    """An organisation ready to run its agent."""

    organisation: Organisation
    team: Team
    owner: Actor
    approver: Actor
    agent: Agent
    language_model: LanguageModel
    witness: Path
    model: ScriptedModel

    def in_tenant(self) -> Any:
        """A transaction that sees this organisation."""
        return tenant(self.organisation.id)

    def start(self, text: str = "Please help", agent: Agent | None = None) -> Run:
        """A run of the agent."""
        with self.in_tenant():
            return start_run(actor=self.owner, agent=agent or self.agent, title=text, input=text)

    def run(self, run: Run) -> Run:
        """Advance a run, and those that it wakes, until nothing moves."""
        bells = [run.id]
        while bells:
            bells += advance(bells.pop(0))
        return self.read(run)

    def read(self, run: Run) -> Run:
        """The run as it stands."""
        with self.in_tenant():
            return Run.objects.get(pk=run.pk)

    def steps(self, run: Run) -> list[Step]:
        """Its journal."""
        with self.in_tenant():
            return list(Step.objects.filter(run_id=run.pk).order_by("number"))

    def events(self, run: Run) -> list[str]:
        """The kinds of its events, in order; their numbers have no gap."""
        with self.in_tenant():
            events = list(Event.objects.filter(run_id=run.pk).order_by("number"))
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        return [event.kind for event in events]

    def lines(self) -> list[list[str]]:
        """What the witness saw."""
        return [json.loads(line) for line in self.witness.read_text().splitlines()] if self.witness.exists() else []

    def policy(self, slug: str, source: str) -> None:
        """One more policy."""
        with self.in_tenant():
            create_policy(actor=self.owner, slug=slug, name=slug, source=source)

    def is_over(self, run: Run) -> bool:
        """Whether a run has ended."""
        return self.read(run).state in ENDED


PERMIT = """
@id("allow")
permit (principal, action, resource);
"""


@pytest.fixture
def make_house(database: Any, model: ScriptedModel, tmp_path: Path, settings: Any) -> Iterator[Callable[..., House]]:
    """Make an organisation; `source` is its policy, `budget` that of organisation and agent, in micro-units."""
    settings.CONNECTOR_KINDS = {**settings.CONNECTOR_KINDS, "witness": f"{__name__}.WitnessKind"}

    def make(
        source: str = PERMIT,
        budget: int = 10 * EURO,
        run_budget: int = EURO,
        max_steps: int = 40,
        key: str = "sk-test",
        secret: str = "",
    ) -> House:
        shell = shell_actor()
        organisation = create_organisation(actor=shell, slug=f"org-{uuid7()}", name="Acme")
        shell = shell.within(organisation.id)
        witness = tmp_path / f"{organisation.id}.jsonl"
        with tenant(organisation.id):
            people = [add_person(actor=shell, organisation=organisation, email=f"{uuid7()}@example.org", name=name)
                      for name in ("Olga Owner", "Pia Approver")]  # fmt: skip
            root = GrantTarget.objects.get(pk=organisation.id)
            for membership in people:
                grant(actor=shell, principal=membership.principal, role="administrator", target=root)
            owner, approver = (
                Actor(kind=ActorKind.PERSON, name=one.principal.name, principal=one.principal_id,
                      organisation=organisation.id, user=one.user_id) for one in people
            )  # fmt: skip
            team = create_team(actor=owner, organisation=organisation, slug="team", name="Team")
            provider = add_provider(actor=owner, slug="scripted", name="Scripted", base_url=model.url, api="responses",
                                    key=key)  # fmt: skip
            language = add_language_model(actor=owner, provider=provider, slug="small", name="Small", wire_name="small",
                                          context_window=8000, max_output=100)  # fmt: skip
            set_price(actor=owner, language_model=language, currency="EUR", input_per_million=EURO,
                      output_per_million=EURO)  # fmt: skip
            add_connector(
                actor=owner,
                slug="witness",
                name="Witness",
                kind="witness",
                settings={"file": str(witness)},
                credential=add_credential(actor=owner, name="w", secret=secret) if secret else None,
            )
            agent = make_agent(owner, team, people[0].principal, language, "worker", run_budget, max_steps)
            set_budget(actor=owner, scope="organisation", scope_id=organisation.id, target=root, limit=budget,
                       currency="EUR")  # fmt: skip
            create_policy(actor=owner, slug="base", name="Base", source=source)
            set_budget(actor=owner, scope="agent", scope_id=agent.id, target=agent.target, limit=budget, currency="EUR")
        return House(organisation, team, owner, approver, agent, language, witness, model)

    yield make
    keeper.stop()


def make_agent(
    owner: Actor, team: Team, sponsor: Any, language: LanguageModel, slug: str, run_budget: int, max_steps: int,
    delegates: list[str] | None = None,
) -> Agent:  # fmt: skip
    """An active agent with the witness's tools, whose instructions are its slug."""
    agent = create_agent(actor=owner, team=team, slug=slug, name=slug.title(), purpose="Works", sponsor=sponsor)
    version = publish_version(
        actor=owner, agent=agent, instructions=slug, language_model=language,
        tools=["witness.read", "witness.idempotent", "witness.effect"], delegates=delegates or [],
        max_steps=max_steps, max_seconds=3600, max_output_tokens=100, run_budget=run_budget, note="",
    )  # fmt: skip
    serve_version(actor=owner, agent=agent, version=version)
    return activate_agent(actor=shell_actor(team.organisation_id), agent=Agent.objects.get(pk=agent.pk), reason="ready")


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """The usual one: everything is permitted."""
    return make_house()


@pytest.fixture
def say() -> Callable[[str], list[dict[str, Any]]]:
    """`say(text)`: a model's last word."""
    return says


@pytest.fixture
def call() -> Callable[..., list[dict[str, Any]]]:
    """`call(name, **arguments)`: a model's wish."""
    return calls


@pytest.fixture
def add_agent(house: House) -> Callable[..., Agent]:
    """One more agent in the house, with its budget."""

    def add(slug: str, delegates: list[str]) -> Agent:
        with house.in_tenant():
            agent = make_agent(house.owner, house.team, Agent.objects.get(pk=house.agent.pk).sponsor,
                               house.language_model, slug, EURO, 40, delegates)  # fmt: skip
            set_budget(actor=house.owner, scope="agent", scope_id=agent.id, target=agent.target, limit=EURO,
                       currency="EUR")  # fmt: skip
        return agent

    return add
