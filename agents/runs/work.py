"""What a worker knows of a run while it holds its lease: loaded once, then kept in step with the journal."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from agents.catalogue.models import LanguageModel, Price, Provider
from agents.labels import Label, join
from agents.registry.models import Agent, AgentVersion
from agents.runs.builtins.port import Builtin, builtin, is_builtin
from agents.runs.claims import Lease
from agents.runs.journal import ENGINE, release_connection
from agents.runs.models import Run, Session, Step, StepKind, StepState
from agents.tools.models import Tool
from foundation.actors import Actor, ActorKind
from foundation.organisations.models import Organisation

DELEGATE = "delegate."


@dataclass(slots=True)
class Work:
    """A run, its definition and its journal."""

    lease: Lease
    run: Run
    session: Session
    agent: Agent
    version: AgentVersion
    model: LanguageModel
    provider: Provider
    price: Price | None
    tools: dict[str, Tool]
    delegates: dict[str, Agent]
    line: tuple[UUID, ...]
    steps: list[Step]
    label: Label = field(default_factory=Label)
    is_late: bool = False

    @property
    def actor(self) -> Actor:
        """The agent, as the record names it."""
        return Actor(
            kind=ActorKind.AGENT,
            name=self.agent.name,
            principal=self.agent.principal_id,
            organisation=self.run.organisation_id,
            chain=tuple(UUID(one) for one in self.run.chain),
            session=self.session.id,
            run=self.run.id,
        )

    @property
    def principals(self) -> tuple[UUID, ...]:
        """The chain: this agent first, the person last."""
        return (self.agent.principal_id, *(UUID(one) for one in self.run.chain))

    @property
    def next_number(self) -> int:
        """The number of the next step."""
        return len(self.steps) + 1

    @property
    def builtins(self) -> dict[str, Builtin]:
        """The built-in tools that the version lists, by their names."""
        return {name: builtin(name) for name in self.version.tools if is_builtin(name)}

    def spent_on_calls(self, name: str) -> dict[str, Any]:
        """The session's history as policies see it, calls in flight included."""
        calls = [step for step in self.steps if step.kind in {StepKind.TOOL_CALL, StepKind.DELEGATION}]
        sent = [step for step in calls if step.state != StepState.REFUSED]
        return {
            "calls": len(sent),
            "spent": self.run.cost,
            "target_calls": sum(1 for step in sent if step.name == name),
        }

    def offers(self) -> list[dict[str, Any]]:
        """The tools as the model is told of them: those of the version that may be called, and its delegates."""
        offered = [
            {"name": tool.name, "description": tool.description, "schema": tool.schema}
            for tool in self.tools.values()
        ]
        for own in self.builtins.values():
            offered.append({"name": own.name, "description": own.description, "schema": dict(own.schema)})
        for slug, agent in self.delegates.items():
            offered.append({"name": DELEGATE + slug, "description": f"Give work to {agent.name}: {agent.purpose}",
                            "schema": DELEGATION_SCHEMA})  # fmt: skip
        return offered


DELEGATION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"task": {"type": "string", "description": "What to do, with all that is needed to do it."}},
    "required": ["task"],
    "additionalProperties": False,
}


def load(lease: Lease) -> Work:
    """Read everything that advancing needs, in a handful of queries."""
    run = Run.objects.using(ENGINE).select_related(
        "session", "agent__sponsor", "version__language_model__provider"
    ).get(pk=lease.run)  # fmt: skip
    model = run.version.language_model
    work = Work(
        lease=lease,
        run=run,
        session=run.session,
        agent=run.agent,
        version=run.version,
        model=model,
        provider=model.provider,
        price=_price(model),
        tools=_tools(run),
        delegates=_delegates(run),
        line=_line(run),
        steps=list(Step.objects.using(ENGINE).filter(run_id=run.id).order_by("number")),
        label=Label.from_json(run.session.label) if run.session.label else join([]),
        is_late=lease.is_late,
    )
    release_connection()
    return work


def refresh_model(work: Work) -> None:
    """Model, provider and price as they stand now: what was disabled while the run went on is not called."""
    work.model = LanguageModel.objects.using(ENGINE).select_related("provider").get(pk=work.model.pk)
    work.provider, work.price = work.model.provider, _price(work.model)
    release_connection()


def refresh_target(work: Work, name: str) -> None:
    """The tool or delegate as it stands now: its definition, its state, and what it is called with."""
    if name in work.tools:
        work.tools[name] = _with_connector(Tool.objects.using(ENGINE).filter(pk=work.tools[name].pk)).get()
    slug = name.removeprefix(DELEGATE)
    if slug in work.delegates:
        work.delegates[slug] = (
            Agent.objects.using(ENGINE).select_related("serving", "sponsor").get(pk=work.delegates[slug].pk)
        )
    release_connection()


def _price(model: LanguageModel) -> Price | None:
    currency = Organisation.objects.using(ENGINE).values_list("currency", flat=True).get(pk=model.organisation_id)
    return Price.objects.using(ENGINE).filter(language_model=model, currency=currency).current().first()


def _with_connector(tools: QuerySet[Tool]) -> QuerySet[Tool]:
    return tools.select_related("connector__credential").order_by("name")


def _tools(run: Run) -> dict[str, Tool]:
    tools = Tool.objects.using(ENGINE).filter(organisation_id=run.organisation_id, name__in=run.version.tools)
    return {tool.name: tool for tool in _with_connector(tools)}


def _delegates(run: Run) -> dict[str, Agent]:
    agents = Agent.objects.using(ENGINE).filter(organisation_id=run.organisation_id, slug__in=run.version.delegates)
    return {agent.slug: agent for agent in agents.select_related("serving", "sponsor").order_by("slug")}


def _line(run: Run) -> tuple[UUID, ...]:
    line: list[UUID] = []
    above = run.parent_id
    while above is not None:
        line.append(above)
        above = Run.objects.using(ENGINE).values_list("parent_id", flat=True).get(pk=above)
    return tuple(line)
