"""Somebody who has taken an address that is not theirs: their own organisation has invited it, and shown the link."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.test import Client

from config.recovery import sign_in_link_for
from foundation.actors import Actor, ActorKind
from foundation.identity.authentication import actor_of_session
from foundation.invitations.services import Invited, invite
from foundation.organisations.models import GrantTarget
from tests.foundation.identity.household import PASSWORD, Household, away, make_household


@dataclass
class Squatter:
    """An administrator of an organisation of their own, and the browser in which they are the address's user."""

    home: Household
    email: str
    browser: Client

    def enters(self, organisation: UUID) -> bool:
        """Whether they act there, by the browser that is open or by a new one."""
        anew = away()
        anew.post("/sign-in/", {"email": self.email, "password": PASSWORD})
        return any(acts_in(one, organisation) for one in (self.browser, anew))

    def shell_link(self) -> str:
        """The path of a link that whoever holds the shell gives out for the address."""
        return path_of(sign_in_link_for(self.email))


def acts_in(client: Client, organisation: UUID) -> bool:
    """Whether this browser can act in an organisation; it tries to."""
    client.post("/organisation/", {"organisation": str(organisation)})
    actor = actor_of_session(client.session)
    return actor is not None and actor.organisation == organisation


def ask(household: Household, email: str, role: str = "viewer") -> Invited:
    """The owner invites."""
    principal = household.principal(household.owner)
    with household.in_tenant():
        owner = Actor(kind=ActorKind.PERSON, name=principal.name, principal=principal.id,
                      organisation=household.organisation.id, user=household.owner.user_id)  # fmt: skip
        target = GrantTarget.objects.get(pk=household.organisation.id)
        return invite(actor=owner, organisation=household.organisation, email=email, role=role, target=target)


def path_of(link: str) -> str:
    """What a browser of a test asks for."""
    return link.removeprefix(settings.PUBLIC_URL)


def join(link: str, password: str = PASSWORD, name: str = "Nobody Else") -> Client:
    """A browser that has set a password with a link."""
    client = away()
    answer = client.post(path_of(link), {"name": name, "password": password, "again": password})
    assert answer.status_code == 303, answer.content.decode()[-600:]
    return client


def squat(email: str) -> Squatter:
    """The address is nobody's yet: whoever is shown the link of an invitation becomes its user."""
    home = make_household("Squatters")
    return Squatter(home, email, join(ask(home, email).link))
