"""What a worker knows of a run while it holds its lease: loaded once, then kept in step with the journal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from agents.catalogue.models import LanguageModel, Price, Provider
from agents.labels import Label, join
from agents.registry.models import Agent, AgentVersion
from agents.runs.builtins.port import Builtin, builtin, is_builtin
from agents.runs.claims import Lease
from agents.runs.definitions import Definitions, definitions_of
from agents.runs.journal import ENGINE, release_connection
from agents.runs.models import Relation, Run, Session, Step, StepState
from agents.runs.moves import DELEGATE
from agents.runs.player import Player, player_of
from agents.runs.taking import Taken
from agents.runs.window import CALLS, Window
from agents.tools.models import Tool
from foundation.actors import Actor, ActorKind


@dataclass(slots=True)
class Work:
    """A run, its definition and its journal."""

    lease: Lease
    run: Run
    session: Session
    agent: Agent
    version: AgentVersion
    definitions: Definitions
    model: LanguageModel
    provider: Provider
    price: Price | None
    tools: dict[str, Tool]
    delegates: dict[str, Agent]
    line: tuple[UUID, ...]
    steps: list[Step]
    label: Label = field(default_factory=Label)
    is_late: bool = False
    window: Window | None = None
    player: Player | None = None
    origins: dict[int, dict[str, Label]] = field(default_factory=dict)
    _actor: Actor | None = None

    @property
    def actor(self) -> Actor:
        """The agent, as the record names it."""
        if self._actor is not None and self._actor.name == self.agent.name:
            return self._actor
        self._actor = Actor(
            kind=ActorKind.AGENT,
            name=self.agent.name,
            principal=self.agent.principal_id,
            organisation=self.run.organisation_id,
            chain=tuple(UUID(one) for one in self.run.chain),
            session=self.session.id,
            run=self.run.id,
        )
        return self._actor

    @property
    def principals(self) -> tuple[UUID, ...]:
        """The chain: this agent first, the person last."""
        return (self.agent.principal_id, *self.actor.chain)

    @property
    def next_number(self) -> int:
        """The number of the next step."""
        return len(self.steps) + 1

    def refresh(self) -> None:
        """Agent, model, price, tools and delegates as the newest definitions have them."""
        known = definitions_of(self.run.organisation_id)
        self.price = known.price(self.model.pk)
        if known is self.definitions:
            return
        self.definitions = known
        self.agent = known.agent(self.agent.pk)
        self.model = known.language_model(self.version.language_model_id)
        self.provider, self.price = self.model.provider, known.price(self.model.pk)
        self.tools = known.tools_named(self.version.tools)
        self.delegates = known.agents_named(self.version.delegates)
        release_connection()

    @property
    def builtins(self) -> Mapping[str, Builtin]:
        """The built-in tools that the version lists, by their names."""
        return _builtins_among(tuple(self.version.tools))

    def spent_on_calls(self, name: str) -> dict[str, Any]:
        """The session's history as policies see it, calls in flight included."""
        sent = [step.name for step in self.steps if step.kind in CALLS and step.state != StepState.REFUSED]
        return {
            "calls": len(sent),
            "spent": self.run.cost + (self.player.spent(self.steps) if self.player else 0),
            "target_calls": sent.count(name),
        }

    def offers(self) -> list[dict[str, Any]]:
        """The tools as the model is told of them: those of the version that may be called, and its delegates."""
        offered = [
            {"name": tool.name, "description": tool.description, "schema": tool.schema} for tool in self.tools.values()
        ]
        offered += [
            {"name": own.name, "description": own.description, "schema": dict(own.schema)}
            for own in self.builtins.values()
        ]
        for slug, agent in self.delegates.items():
            offered.append({"name": DELEGATE + slug, "description": f"Give work to {agent.name}: {agent.purpose}",
                            "schema": DELEGATION_SCHEMA})  # fmt: skip
        return offered


@lru_cache(maxsize=1_024)
def _builtins_among(names: tuple[str, ...]) -> Mapping[str, Builtin]:
    return MappingProxyType({name: builtin(name) for name in names if is_builtin(name)})


DELEGATION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"task": {"type": "string", "description": "What to do, with all that is needed to do it."}},
    "required": ["task"],
    "additionalProperties": False,
}


def load(taken: Taken) -> Work:
    """Everything that advancing needs; what an organisation has defined comes from the copy kept here."""
    run, session = taken.run, taken.session
    known = definitions_of(run.organisation_id)
    version = known.version(run.version_id)
    model = known.language_model(version.language_model_id)
    agent = known.agent(run.agent_id)
    work = Work(
        lease=taken.lease,
        run=run,
        session=session,
        agent=agent,
        version=version,
        definitions=known,
        model=model,
        provider=model.provider,
        price=known.price(model.pk),
        tools=known.tools_named(version.tools),
        delegates=known.agents_named(version.delegates),
        line=_line(run),
        steps=taken.steps,
        label=Label.from_json(session.label) if session.label else join([]),
        is_late=taken.lease.is_late,
        player=player_of(run),
    )
    release_connection()
    return work


def _line(run: Run) -> tuple[UUID, ...]:
    line: list[UUID] = []
    above = _above(run)
    while above is not None:
        line.append(above)
        above = _above(Run.objects.using(ENGINE).only("parent_id", "former_id", "relation").get(pk=above))
    return tuple(line)


def _above(run: Run) -> UUID | None:
    """Who delegated to it, or handed over to it: their limits hold for it too."""
    return run.former_id if run.relation == Relation.HANDOVER else run.parent_id
