"""What an organisation's definition is made of. Money is in micro-units; prices are per million tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of the organisation. `roles` hold on the whole of it, `team_roles` on the team only."""

    name: str
    email: str
    roles: tuple[str, ...] = ()
    team_roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A language model of the provider; `wire_name` is what the endpoint calls it."""

    slug: str
    name: str
    wire_name: str
    input_per_million: int
    output_per_million: int
    context_window: int = 128_000
    max_output: int = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where inference is bought. Its base URL is not known before the rehearsal model runs (REMIT_REHEARSAL_URL)."""

    slug: str
    name: str
    api: str
    rehearsal: bool
    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A source of tools. `kind` is a name in settings.CONNECTOR_KINDS; `credential` a key of what `install` returns."""

    slug: str
    name: str
    kind: str
    settings: Mapping[str, Any]
    credential: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent with its first version. `tools` are `connector.operation`, `delegates` slugs of other agents."""

    slug: str
    name: str
    purpose: str
    instructions: str
    model: str
    tools: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    max_steps: int = 40
    max_seconds: int = 86_400
    max_output_tokens: int = 1_024
    run_budget: int = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Cedar source with a name."""

    slug: str
    name: str
    source: str
    mode: str = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A ceiling for a month. `scope` is organisation, team or agent; `slug` names the team or the agent."""

    scope: str
    limit: int
    slug: str = ""
    period: str = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """All of it. `administrator` signs in first; `sponsor` answers for the agents. Both are e-mail addresses."""

    slug: str
    name: str
    currency: str
    team_slug: str
    team_name: str
    administrator: str
    sponsor: str
    front_agent: str
    people: tuple[Person, ...]
    provider: Provider
    connectors: tuple[Connector, ...]
    agents: tuple[Agent, ...]
    policies: tuple[Policy, ...]
    budgets: tuple[Budget, ...]
    mails: Path = HERE / "mails"
    expected: Path = HERE / "expected.json"
