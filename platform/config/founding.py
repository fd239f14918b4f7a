"""A new organisation and who administers it: only the shell makes one."""

from django.db import transaction

from config.recovery import sign_in_link_for
from foundation.access.services import ADMINISTRATOR, grant
from foundation.actors import shell_actor
from foundation.identity.services import add_person
from foundation.organisations.models import GrantTarget
from foundation.organisations.services import create_organisation


def found_organisation(*, slug: str, name: str, administrator: str, currency: str) -> str:
    """Make it, with its first administrator, and give a link for that person. Raises InvalidError, ConflictError."""
    with transaction.atomic():
        organisation = create_organisation(actor=shell_actor(), slug=slug, name=name, currency=currency)
        actor = shell_actor(organisation.id)
        person = add_person(
            actor=actor, organisation=organisation, email=administrator, name=administrator.partition("@")[0]
        )
        target = GrantTarget.objects.get(pk=organisation.id)
        grant(actor=actor, principal=person.principal, role=ADMINISTRATOR, target=target, reason="the first one")
    return sign_in_link_for(administrator)
