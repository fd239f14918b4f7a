"""The sample organisation as plain data: who is there, what they use, what the agents are, and the rules over them.

Money is in micro-units (1 EUR = 1_000_000); prices are per million tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.sample import policies

_HERE = Path(__file__).parent
EURO = 1_000_000


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
    mails: Path = field(default=_HERE / "mails")
    expected: Path = field(default=_HERE / "expected.json")


def _instructions(slug: str) -> str:
    return (_HERE / "instructions" / f"{slug}.md").read_text(encoding="utf-8")


def _query(description: str, view: str, column: str, name: str, pattern: str) -> dict[str, Any]:
    value = {"type": "string", "pattern": pattern, "maxLength": 254}
    return {
        "description": description,
        "sql": f"SELECT * FROM sample_orders.{view} WHERE {column} = %({name})s",  # noqa: S608 - names of ours
        "schema": {
            "type": "object",
            "properties": {name: value},
            "required": [name],
            "additionalProperties": False,
        },
        "integrity": "trusted",
        "confidentiality": "confidential",
    }


_NUMBER = "^NW-[0-9]{5}$"
_QUERIES = {
    "find_order": _query(
        "Look up an order by its number (such as NW-12345): customer, address, lines, what was paid and refunded in "
        "cents, and how many days ago it was delivered.",
        "order_overview", "order_number", "order", _NUMBER,
    ),
    "find_orders_of_customer": _query(
        "Look up the orders of a customer by the e-mail address that they were placed with.",
        "order_overview", "customer_email", "email", "^[^@ ]+@[^@ ]+$",
    ),
    "find_parcel": _query(
        "Look up the parcels of an order, on the way to the customer (outbound) and back (return).",
        "parcel_overview", "order_number", "order", _NUMBER,
    ),
}  # fmt: skip

SAMPLE = Sample(
    slug="northwind",
    name="Northwind",
    currency="EUR",
    team_slug="refund-desk",
    team_name="Refund desk",
    administrator="admin@northwind.example",
    sponsor="lead@northwind.example",
    front_agent="triage",
    people=(
        # The first to sign in tries everything, approvals included.
        Person(name="Alex Morgan", email="admin@northwind.example", roles=("administrator", "operator")),
        Person(name="Sam Okafor", email="operator@northwind.example", team_roles=("operator",)),
        Person(name="Robin Keller", email="auditor@northwind.example", roles=("auditor",)),
        Person(name="Priya Raman", email="lead@northwind.example", team_roles=("team-lead",)),
    ),
    provider=Provider(
        slug="rehearsal",
        name="Rehearsal model",
        api="responses",
        rehearsal=True,
        models=(
            Model(
                slug="rehearsal-large", name="Rehearsal, large", wire_name="rehearsal-large",
                input_per_million=400_000, output_per_million=1_600_000,
            ),
            Model(
                slug="rehearsal-small", name="Rehearsal, small", wire_name="rehearsal-small",
                input_per_million=100_000, output_per_million=400_000,
            ),
        ),
    ),
    connectors=(
        Connector(slug="orders", name="Orders database", kind="sql", settings={"queries": _QUERIES, "row_limit": 20},
                  credential="orders"),
        Connector(
            slug="policy", name="Refund policy", kind="documents",
            settings={
                "documents": {"refund-policy": (_HERE / "policy.md").read_text(encoding="utf-8")},
                "integrity": "trusted",
                "confidentiality": "internal",
            },
        ),
        Connector(slug="payments", name="Payments (sandbox)", kind="sandbox-payments", settings={},
                  credential="payments"),
        Connector(slug="mail", name="Mail (outbox folder)", kind="sandbox-mail",
                  settings={"folder": "outbox", "sender": "refunds@northwind.example"}),
    ),
    agents=(
        Agent(
            slug="triage", name="Triage", purpose="Works on each mail to its end: facts, evidence, refund, reply.",
            instructions=_instructions("triage"), model="rehearsal-large",
            tools=(
                "orders.find_order", "orders.find_orders_of_customer", "policy.search", "policy.read",
                "payments.refund", "payments.payout", "mail.send",
            ),
            delegates=("evidence-checker", "reply-writer"),
        ),
        Agent(
            slug="evidence-checker", name="Evidence checker", purpose="Weighs the evidence for a refund.",
            instructions=_instructions("evidence-checker"), model="rehearsal-small", tools=("orders.find_parcel",),
            max_steps=10, max_output_tokens=512, run_budget=10_000,
        ),
        Agent(
            slug="reply-writer", name="Reply writer", purpose="Writes the reply to the customer.",
            instructions=_instructions("reply-writer"), model="rehearsal-small",
            max_steps=5, run_budget=10_000,
        ),
    ),
    policies=(
        Policy(slug="refund-desk", name="What the refund desk may do", source=policies.MAY),
        Policy(slug="large-refunds", name="Large refunds", source=policies.LARGE_REFUNDS),
        Policy(slug="payouts", name="Payouts", source=policies.PAYOUTS),
    ),
    budgets=(
        Budget(scope="organisation", limit=50 * EURO),
        Budget(scope="team", slug="refund-desk", limit=30 * EURO),
        Budget(scope="agent", slug="triage", limit=20 * EURO),
        Budget(scope="agent", slug="evidence-checker", limit=5 * EURO),
        Budget(scope="agent", slug="reply-writer", limit=5 * EURO),
    ),
)  # fmt: skip
