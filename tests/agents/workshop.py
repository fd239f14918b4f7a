"""An organisation in which agents are built: a team, a sponsor, a model, a connector with documents."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from agents.catalogue.models import LanguageModel, Provider
from agents.catalogue.services import add_language_model, add_provider
from agents.registry.models import Agent
from agents.registry.services import create_agent
from agents.tools.models import Connector
from agents.tools.services import add_connector
from foundation.actors import Actor, ActorKind, shell_actor
from foundation.audit.models import AuditEntry
from foundation.identity.models import Principal
from foundation.identity.services import add_person
from foundation.ids import uuid7
from foundation.organisations.models import Organisation, Team
from foundation.organisations.services import create_organisation, create_team
from foundation.tenancy.context import tenant

DOCUMENTS = {"documents": {"rules": "# Rules\nBe kind."}}


@dataclass
class Workshop:
    """The organisation and what is in it."""

    organisation: Organisation
    team: Team
    sponsor: Principal
    provider: Provider
    model: LanguageModel
    connector: Connector

    @property
    def shell(self) -> Actor:
        """Whoever holds the shell."""
        return shell_actor(self.organisation.id)

    @property
    def an_agent(self) -> Actor:
        """An agent, which changes nothing here."""
        return Actor(kind=ActorKind.AGENT, name="agent", principal=uuid7(), organisation=self.organisation.id)

    def open(self) -> Any:
        """A transaction that sees this organisation."""
        return tenant(self.organisation.id)

    def agent(self, slug: str = "clerk") -> Agent:
        """A new draft."""
        return create_agent(
            actor=self.shell, team=self.team, slug=slug, name=slug.title(), purpose="Works", sponsor=self.sponsor
        )

    def entries(self, action: str) -> list[AuditEntry]:
        """What the record says, oldest first."""
        return list(AuditEntry.objects.filter(action=action).order_by("id"))


def make_workshop() -> Workshop:
    """A new one."""
    with transaction.atomic():
        organisation = create_organisation(actor=shell_actor(), slug=f"org-{uuid7()}", name="Acme")
    shell = shell_actor(organisation.id)
    with tenant(organisation.id):
        team = create_team(actor=shell, organisation=organisation, slug="desk", name="Desk")
        sponsor = add_person(actor=shell, organisation=organisation, email=f"{uuid7()}@example.org", name="Sponsor")
        provider = add_provider(
            actor=shell,
            slug="house",
            name="House",
            base_url="https://models.example.org/v1",
            api="responses",
            key="sk-canary-1",
        )
        model = add_language_model(
            actor=shell,
            provider=provider,
            slug="small",
            name="Small",
            wire_name="small-1",
            context_window=8_000,
            max_output=2_000,
        )
        connector = add_connector(actor=shell, slug="papers", name="Papers", kind="documents", settings=DOCUMENTS)
    return Workshop(organisation, team, sponsor.principal, provider, model, connector)
