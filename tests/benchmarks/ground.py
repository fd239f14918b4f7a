"""The benchmark's organisation and its queued runs, made by the real services; runs are ordered by lines of JSON."""

import json
import os
import sys
from typing import Any
from uuid import UUID

import django
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.settings")
django.setup()

from agents.catalogue.services import add_language_model, add_provider, set_price  # noqa: E402 - after Django's set-up
from agents.registry.models import Agent  # noqa: E402
from agents.registry.services import activate_agent, create_agent, publish_version, serve_version  # noqa: E402
from agents.runs.services import start_run  # noqa: E402
from agents.tools.models import Tool  # noqa: E402
from agents.tools.services import add_connector  # noqa: E402
from foundation.access.services import grant  # noqa: E402
from foundation.actors import Actor, ActorKind, shell_actor  # noqa: E402
from foundation.identity.services import add_person  # noqa: E402
from foundation.organisations.models import GrantTarget  # noqa: E402
from foundation.organisations.services import create_organisation, create_team  # noqa: E402
from foundation.tenancy.context import tenant  # noqa: E402
from governance.budgets.services import set_budget  # noqa: E402
from governance.policies.services import create_policy  # noqa: E402

EURO = 1_000_000
TOOL_PRICE = 50  # micro-units a call, so that every step moves the ledger
NOOP, SLOW = "bench.noop", "bench.slow"
POLICIES = {
    "starts": 'permit (principal, action == Action::"run_start", resource in Team::"desk");',
    "thinks": 'permit (principal == Agent::"worker", action == Action::"model_call", resource == Model::"small");',
    "acts": f'permit (principal == Agent::"worker", action == Action::"tool_call", resource == Tool::"{NOOP}")\n'
    "when { context.args.number < 1000 };",
    "acts-slowly": f'permit (principal == Agent::"worker", action == Action::"tool_call", resource == Tool::"{SLOW}");',
    "few-calls": f'forbid (principal, action == Action::"tool_call", resource == Tool::"{NOOP}")\n'
    "when { context.history.target_calls > 500 };",
    "large-asks": '@ask("May I do number {number}?") @approvers("operator")\n'
    f'forbid (principal, action == Action::"tool_call", resource == Tool::"{NOOP}")\n'
    "when { context.args.number > 500 } unless { context.approved };",
    "spending": 'forbid (principal, action == Action::"tool_call", resource)\n'
    "when { context.history.spent > 900000000 };",
}


def make_house(tool: str, settings: dict[str, Any]) -> tuple[Actor, Agent]:
    """An organisation with policies, budgets, a model, a priced tool, and an agent that uses them."""
    shell = shell_actor()
    organisation = create_organisation(actor=shell, slug="bench", name="Bench")
    shell = shell.within(organisation.id)
    with tenant(organisation.id):
        person = add_person(actor=shell, organisation=organisation, email="olga@example.org", name="Olga Owner")
        root = GrantTarget.objects.get(pk=organisation.id)
        grant(actor=shell, principal=person.principal, role="administrator", target=root)
        owner = Actor(kind=ActorKind.PERSON, name="Olga Owner", principal=person.principal_id,
                      organisation=organisation.id, user=person.user_id)  # fmt: skip
        team = create_team(actor=owner, organisation=organisation, slug="desk", name="Desk")
        # Nobody listens there: were the fake not in its place, every run would fail.
        provider = add_provider(actor=owner, slug="fake", name="Fake", base_url="http://127.0.0.1:9/v1",
                                api="responses", key="sk-bench")  # fmt: skip
        language = add_language_model(actor=owner, provider=provider, slug="small", name="Small", wire_name="small",
                                      context_window=8000, max_output=100)  # fmt: skip
        set_price(actor=owner, language_model=language, currency="EUR", input_per_million=EURO,
                  output_per_million=EURO)  # fmt: skip
        add_connector(actor=owner, slug="bench", name="Bench", kind="noop", settings=settings)
        Tool.objects.update(price=TOOL_PRICE)
        agent = create_agent(actor=owner, team=team, slug="worker", name="Worker", purpose="Works",
                             sponsor=person.principal)  # fmt: skip
        version = publish_version(actor=owner, agent=agent, instructions="Call the tool ten times.",
                                  language_model=language, tools=[tool], delegates=[], max_steps=40,
                                  max_seconds=86_400, max_output_tokens=100, run_budget=EURO)  # fmt: skip
        serve_version(actor=owner, agent=agent, version=version)
        agent = activate_agent(actor=shell_actor(organisation.id), agent=Agent.objects.get(pk=agent.pk),
                               reason="The benchmark begins.")  # fmt: skip
        for scope, scope_id, target in (("organisation", organisation.id, root), ("team", team.id, team.target),
                                        ("agent", agent.id, agent.target)):  # fmt: skip
            set_budget(actor=owner, scope=scope, scope_id=scope_id, target=target, limit=10**12, currency="EUR")
        for slug, source in POLICIES.items():
            create_policy(actor=owner, slug=slug, name=slug, source=source)
    return owner, agent


def queue(owner: Actor, agent: Agent, count: int) -> list[UUID]:
    """Start so many runs, each in a transaction of its own."""
    runs = []
    for number in range(count):
        with tenant(agent.organisation_id):
            runs.append(start_run(actor=owner, agent=agent, title=f"Run {number}", input="Please do it").id)
    return runs


def main() -> None:
    """Make the house as the first line says, then as many runs as each line asks for."""
    owner, agent = make_house(**json.loads(sys.stdin.readline()))
    print(json.dumps({"organisation": str(agent.organisation_id)}), flush=True)
    for line in sys.stdin:
        queued = [str(run) for run in queue(owner, agent, int(line))]
        with connections["default"].cursor() as cursor:
            # Its commits are counted when the session has nothing to do: that is to be now, not during the load.
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute("SELECT 1")
        connections.close_all()
        print(json.dumps(queued), flush=True)


if __name__ == "__main__":
    main()
