"""The sample organisation in a new database: made by the same verbs as everything else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction

from agents.catalogue.models import LanguageModel
from agents.catalogue.services import add_language_model, add_provider, set_price
from agents.registry.models import Agent
from agents.registry.services import activate_agent, create_agent, publish_version, serve_version
from agents.runs.models import Run
from agents.tools.models import Credential
from agents.tools.services import add_connector, add_credential
from config.following import credential_name, follow_rehearsal_model, renew_credentials
from config.intake import Submission, submit
from config.sample.database import install
from config.sample.definition import SAMPLE
from foundation.access.services import grant
from foundation.actors import Actor, shell_actor
from foundation.errors import InvalidError
from foundation.identity.models import Principal
from foundation.identity.services import add_person
from foundation.organisations.models import GrantTarget, Organisation, Team
from foundation.organisations.services import create_organisation, create_team
from governance.budgets.services import set_budget
from governance.policies.services import create_policy

_LOCK = 0x5EED  # two seeders of one database wait for each other


@dataclass(slots=True)
class _World:
    """What has been made so far."""

    actor: Actor
    organisation: Organisation
    team: Team
    people: dict[str, Principal] = field(default_factory=dict)
    models: dict[str, LanguageModel] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)


def seed_sample(*, runs: bool) -> list[Run] | None:
    """Make the sample and submit its mails, all of it or nothing; None if the database holds an organisation already.

    Raises InvalidError when the rehearsal model has no address.
    """
    with _alone():
        if Organisation.objects.using("system").exists():
            follow_rehearsal_model()
            renew_credentials()
            return None
        if not settings.REMIT_REHEARSAL_URL:
            raise InvalidError(
                "The rehearsal model has no address: start it with `manage.py up`, or set REMIT_REHEARSAL_URL."
            )
        owner = connections["owner"]
        owner.ensure_connection()
        secrets = install(owner.connection)
        with transaction.atomic():
            world = _found()
            _add_people(world)
            _add_models(world)
            _add_connectors(world, secrets)
            _add_agents(world)
            _add_rules(world)
            return _submit_mails(world) if runs else []


@contextmanager
def _alone() -> Iterator[None]:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _found() -> _World:
    organisation = create_organisation(
        actor=shell_actor(), slug=SAMPLE.slug, name=SAMPLE.name, currency=SAMPLE.currency
    )
    actor = shell_actor(organisation.id)
    team = create_team(actor=actor, organisation=organisation, slug=SAMPLE.team_slug, name=SAMPLE.team_name)
    return _World(actor, organisation, team)


def _add_people(world: _World) -> None:
    whole = GrantTarget.objects.get(pk=world.organisation.id)
    for person in SAMPLE.people:
        membership = add_person(
            actor=world.actor, organisation=world.organisation, email=person.email, name=person.name
        )
        world.people[person.email] = membership.principal
        for target, roles in ((whole, person.roles), (world.team.target, person.team_roles)):
            for role in roles:
                grant(actor=world.actor, principal=membership.principal, role=role, target=target)


def _add_models(world: _World) -> None:
    given = SAMPLE.provider
    provider = add_provider(
        actor=world.actor,
        slug=given.slug,
        name=given.name,
        base_url=settings.REMIT_REHEARSAL_URL,
        api=given.api,
        rehearsal=given.rehearsal,
    )
    for model in given.models:
        world.models[model.slug] = made = add_language_model(
            actor=world.actor,
            provider=provider,
            slug=model.slug,
            name=model.name,
            wire_name=model.wire_name,
            context_window=model.context_window,
            max_output=model.max_output,
        )
        set_price(
            actor=world.actor,
            language_model=made,
            currency=SAMPLE.currency,
            input_per_million=model.input_per_million,
            output_per_million=model.output_per_million,
        )


def _add_connectors(world: _World, secrets: dict[str, str]) -> None:
    for given in SAMPLE.connectors:
        credential: Credential | None = None
        if given.credential is not None:
            credential = add_credential(
                actor=world.actor, name=credential_name(given.name), secret=secrets[given.credential]
            )
        add_connector(
            actor=world.actor,
            slug=given.slug,
            name=given.name,
            kind=given.kind,
            settings=dict(given.settings),
            credential=credential,
        )


def _add_agents(world: _World) -> None:
    actor = world.actor
    for given in SAMPLE.agents:
        world.agents[given.slug] = create_agent(
            actor=actor,
            team=world.team,
            slug=given.slug,
            name=given.name,
            purpose=given.purpose,
            sponsor=world.people[SAMPLE.sponsor],
        )
    for given in SAMPLE.agents:
        agent = world.agents[given.slug]
        version = publish_version(
            actor=actor,
            agent=agent,
            instructions=given.instructions,
            language_model=world.models[given.model],
            tools=given.tools,
            delegates=given.delegates,
            max_steps=given.max_steps,
            max_seconds=given.max_seconds,
            max_output_tokens=given.max_output_tokens,
            run_budget=given.run_budget,
        )
        serve_version(actor=actor, agent=agent, version=version)
        world.agents[given.slug] = activate_agent(actor=actor, agent=agent)


def _add_rules(world: _World) -> None:
    for policy in SAMPLE.policies:
        create_policy(actor=world.actor, slug=policy.slug, name=policy.name, source=policy.source, mode=policy.mode)
    for budget in SAMPLE.budgets:
        scope_id = _scope(world, budget.scope, budget.slug)
        set_budget(
            actor=world.actor,
            scope=budget.scope,
            scope_id=scope_id,
            target=GrantTarget.objects.get(pk=scope_id),
            limit=budget.limit,
            currency=SAMPLE.currency,
            period=budget.period,
        )


def _scope(world: _World, scope: str, slug: str) -> UUID:
    things = {"organisation": world.organisation.id, "team": world.team.id}
    return things[scope] if scope in things else world.agents[slug].id


def _submit_mails(world: _World) -> list[Run]:
    agent = world.agents[SAMPLE.front_agent]
    mails = [Submission.of(path) for path in sorted(SAMPLE.mails.glob("*.eml"))]
    return [submit(actor=world.actor, agent=agent, submission=mail, source="sample").run for mail in mails]
