"""Joining by an invitation's link. Call it outside any transaction: nobody is signed in yet, or elsewhere."""

from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connection
from django.http import HttpRequest

from foundation.actors import Actor, AuthenticationMethod, system_actor
from foundation.errors import ConflictError, InvalidError
from foundation.identity.attempts import succeed
from foundation.identity.beginning import allow, begin_session
from foundation.identity.lookups import user_by_email, user_by_id
from foundation.identity.models import User
from foundation.identity.requests import address_of, request_id_of
from foundation.identity.services import change_password
from foundation.identity.sign_in import choose_organisation
from foundation.identity.tokens import digest
from foundation.invitations.models import Invitation
from foundation.invitations.services import accept_invitation
from foundation.tenancy.context import tenant


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """What a link says. `fresh`: the address is nobody's yet, so whoever holds the link becomes that person."""

    id: UUID
    organisation: UUID
    organisation_name: str
    email: str
    name: str
    inviter: str
    pending: bool
    user: UUID | None
    fresh: bool


def invitation_of(token: str) -> InvitationRow | None:
    """The invitation that can still be accepted with this link."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM remit_invitation(%s)", [digest(token)])
        row = cursor.fetchone()
    found = InvitationRow(*row) if row else None
    return found if found is not None and found.pending else None


def join_as_new(request: HttpRequest, token: str, *, name: str, password: str) -> None:
    """Become a person with a password, join, and begin a web session. Raises InvalidError."""
    row = _found(request, token)
    if not row.fresh:
        raise InvalidError(f"{row.email} is known here: sign in first, then open the link again.")
    actor = replace(
        system_actor("invitation", row.organisation), request=request_id_of(request), address=address_of(request)
    )
    with tenant(row.organisation):
        accept_invitation(actor=actor, invitation=Invitation.objects.get(pk=row.id), name=name)
        user = user_by_email(row.email)
        if user is None:
            raise InvalidError("The person could not be made: try again.")
        if user.has_usable_password():
            # Since the link was looked at, the address has become somebody's: whose password is not overwritten.
            raise InvalidError(f"{row.email} is known here: sign in first, then open the link again.")
        change_password(actor=actor, user=user, password=password)
    begin_session(request, user, AuthenticationMethod.PASSWORD, email=row.email)


def join_as_known(request: HttpRequest, token: str, actor: Actor) -> None:
    """Join with the account that is signed in, and act there from now on. Raises InvalidError."""
    row = _found(request, token)
    user = _user_of(actor)
    if actor.method is AuthenticationMethod.SINGLE_SIGN_ON:
        raise InvalidError("You came in through your organisation's identity provider: sign in with a password first.")
    with tenant(row.organisation):
        invitation = Invitation.objects.get(pk=row.id)
        try:
            accept_invitation(actor=actor.within(row.organisation), invitation=invitation, name=user.name, user=user)
        except ConflictError as error:
            raise InvalidError(error.message) from error
    succeed("", address_of(request))
    choose_organisation(request, row.organisation)


def _found(request: HttpRequest, token: str) -> InvitationRow:
    allow(request, "")
    row = invitation_of(token)
    if row is None:
        raise InvalidError("This invitation was used already, withdrawn, or is too old: ask for a new one.")
    return row


def _user_of(actor: Actor) -> User:
    user = user_by_id(actor.user) if actor.user else None
    if user is None:
        raise InvalidError("Sign in first, then open the link again.")
    return user
