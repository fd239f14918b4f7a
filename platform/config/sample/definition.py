"""The sample organisation as plain data: who is there, what they use, what the agents are, and the rules over them.

Money is in micro-units (1 EUR = 1_000_000); prices are per million tokens.
"""

from typing import Any

from config.sample import policies
from config.sample.shapes import HERE, Agent, Budget, Connector, Model, Person, Policy, Provider, Sample

EURO = 1_000_000


def _instructions(slug: str) -> str:
    return (HERE / "instructions" / f"{slug}.md").read_text(encoding="utf-8")


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
        # The first to sign in tries everything, approvals and the bodies that only auditors read included.
        Person(name="Alex Morgan", email="admin@northwind.example", roles=("administrator", "operator", "auditor")),
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
        Connector(slug="orders", name="Orders database", kind="sandbox-orders", credential="orders",
                  settings={"queries": _QUERIES, "row_limit": 20}),
        Connector(
            slug="policy", name="Refund policy", kind="documents",
            settings={
                "documents": {"refund-policy": (HERE / "policy.md").read_text(encoding="utf-8")},
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
