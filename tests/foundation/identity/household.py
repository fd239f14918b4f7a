"""An organisation with an owner and a member who sign in, and browsers for them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import Client

from foundation.access.services import grant
from foundation.actors import Actor, shell_actor
from foundation.audit.models import AuditEntry
from foundation.identity.lookups import user_by_id
from foundation.identity.models import Membership, Principal, User
from foundation.identity.services import add_person, change_password, create_sign_in_link
from foundation.ids import uuid7
from foundation.organisations.models import GrantTarget, Organisation
from foundation.organisations.services import create_organisation
from foundation.tenancy.context import tenant

PASSWORD = "a long walk by the sea"


@dataclass
class Household:
    """One organisation and its two people."""

    organisation: Organisation
    owner: Membership
    member: Membership

    @property
    def shell(self) -> Actor:
        """Whoever holds the shell."""
        return shell_actor(self.organisation.id)

    def in_tenant(self) -> Any:
        """A transaction that sees this organisation."""
        return tenant(self.organisation.id)

    def user(self, membership: Membership) -> User:
        """The user behind a membership."""
        user = user_by_id(membership.user_id)
        assert user is not None
        return user

    def principal(self, membership: Membership) -> Principal:
        """The principal behind a membership, as it is now."""
        with self.in_tenant():
            return Principal.objects.get(pk=membership.principal_id)

    def link(self, membership: Membership, minutes: int = 15) -> str:
        """The path of a new sign-in link."""
        url = create_sign_in_link(actor=self.shell, user=self.user(membership), minutes=minutes)
        return url.removeprefix(settings.PUBLIC_URL)

    def entries(self, action: str, outcome: str = "ok") -> list[AuditEntry]:
        """What this organisation's record says, oldest first."""
        with self.in_tenant():
            return list(AuditEntry.objects.filter(action=action, outcome=outcome).order_by("id"))


def make_household(name: str = "Home") -> Household:
    """An organisation whose owner is administrator; both people have the same password."""
    with transaction.atomic():
        organisation = create_organisation(actor=shell_actor(), slug=f"org-{uuid7()}", name=name)
    shell = shell_actor(organisation.id)
    with tenant(organisation.id):
        owner, member = (
            add_person(actor=shell, organisation=organisation, email=f"{word}-{uuid7()}@example.org", name=word.title())
            for word in ("owner", "member")
        )
        root = GrantTarget.objects.get(pk=organisation.id)
        grant(actor=shell, principal=owner.principal, role="administrator", target=root)
        for membership in (owner, member):
            change_password(actor=shell, user=User.objects.get(pk=membership.user_id), password=PASSWORD)
    return Household(organisation, owner, member)


def away(**options: Any) -> Client:
    """A browser without cookies at an address of its own, whose failures count for nobody else."""
    return browser(REMOTE_ADDR=f"2001:db8:{uuid7().hex[-4:]}:{uuid7().hex[-8:-4]}::1", **options)


def browser(**options: Any) -> Client:
    """A browser without cookies."""
    # WhiteNoise warns of a folder that is not there, and here a warning is an error.
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    return Client(**options)
