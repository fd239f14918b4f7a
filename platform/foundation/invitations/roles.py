"""The end of a custom role, as doors ask for it: no grant and no open invitation may rest on it."""

from django.db import transaction

from foundation.access.custom_roles import delete_role
from foundation.access.models import Role
from foundation.actors import Actor
from foundation.errors import ConflictError
from foundation.inputs import refuse_agent
from foundation.invitations.models import Invitation


@transaction.atomic
def remove_role(*, actor: Actor, role: Role) -> None:
    """Delete a custom role that nobody has been granted, and that no open invitation gives.

    Invitations that were accepted or withdrawn, or have expired, let go of it; they keep its short name.
    """
    refuse_agent(actor)
    # Whoever invites with it meanwhile waits, and then finds it gone.
    role = Role.objects.select_for_update().get(pk=role.pk)
    waiting = Invitation.objects.pending().filter(custom_role=role).count()
    if waiting:
        one = waiting == 1
        given = "An open invitation gives" if one else f"{waiting} open invitations give"
        raise ConflictError(f"{given} {role.name}: withdraw {'it' if one else 'them'} first.")
    Invitation.objects.filter(custom_role=role).update(custom_role=None)
    delete_role(actor=actor, role=role)
