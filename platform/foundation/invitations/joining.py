"""Joining by an invitation's link. Call it outside any transaction: nobody is signed in yet, or elsewhere."""

from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connection
from django.http import HttpRequest

from foundation.actors import Actor, AuthenticationMethod, system_actor
from foundation.audit.record import entry, record_refusal
from foundation.errors import ConflictError, InvalidError
from foundation.identity.attempts import succeed
from foundation.identity.beginning import allow, begin_session
from foundation.identity.lookups import memberships_of, seeing_as, user_by_id
from foundation.identity.models import Membership, User
from foundation.identity.passwords import refuse_weak
from foundation.identity.proof import locked_user, renounce
from foundation.identity.requests import address_of, request_id_of
from foundation.identity.services import change_password
from foundation.identity.sign_in import choose_organisation
from foundation.identity.tokens import digest
from foundation.invitations.models import Invitation
from foundation.invitations.services import accept_invitation
from foundation.tenancy.context import tenant


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """What a link says. `fresh`: the address is nobody's yet, so whoever holds the link becomes that person.

    `mailed`: it came to that address, which proves whose it is. `anew`: so it ends what was set there without proof.
    """

    id: UUID
    organisation: UUID
    organisation_name: str
    email: str
    name: str
    inviter: str
    pending: bool
    user: UUID | None
    fresh: bool
    mailed: bool
    anew: bool


def invitation_of(token: str) -> InvitationRow | None:
    """The invitation that can still be accepted with this link."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM remit_invitation_by_link(%s)", [digest(token)])
        row = cursor.fetchone()
    found = InvitationRow(*row) if row else None
    return found if found is not None and found.pending else None


def join_as_new(request: HttpRequest, token: str, *, name: str, password: str) -> None:
    """Become a person with a password, join, and begin a web session. Raises InvalidError.

    That the address is known is said last, and recorded: whoever tries it out with a link that was shown is seen.
    """
    row = _found(request, token)
    refuse_weak(password, User(email=row.email, name=name))
    actor = replace(
        system_actor("invitation", row.organisation), request=request_id_of(request), address=address_of(request)
    )
    try:
        with tenant(row.organisation):
            joined = accept_invitation(actor=actor, invitation=Invitation.objects.get(pk=row.id), name=name)
            user = _become(actor, row, joined, name)
            change_password(actor=actor, user=user, password=password)
            User.objects.filter(pk=user.pk).update(proved=row.mailed)
    except (InvalidError, ConflictError) as error:
        denied = entry(actor, "invitation.accept", target_kind="invitation", target_id=row.id, target_name=row.email,
                       outcome="denied", reason=error.message)  # fmt: skip
        record_refusal(denied)
        raise InvalidError(error.message, getattr(error, "field", "")) from error
    begin_session(request, user, AuthenticationMethod.PASSWORD, email=row.email)


def join_as_known(request: HttpRequest, token: str, actor: Actor) -> None:
    """Join with the account that is signed in, and act there from now on. Raises InvalidError."""
    row = _found(request, token)
    user = _user_of(actor)
    if row.fresh and user.pk == row.user:
        raise InvalidError("Open the link anew, and set a password of your own.")
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


def _become(actor: Actor, row: InvitationRow, joined: Membership, name: str) -> User:
    """The user whose password the link sets. Raises InvalidError if the address is somebody's."""
    with seeing_as(joined.user_id):
        user = locked_user(actor, joined.user_id)
    elsewhere = any(one.organisation != row.organisation for one in memberships_of(user.pk))
    used = user.has_usable_password() or user.last_login is not None
    if (used or elsewhere) if user.proved else (elsewhere and not row.mailed):
        # It may have become so since the link was looked at: nobody's password is overwritten.
        raise InvalidError(f"{row.email} is known here: sign in first, then open the link again.")
    if not user.proved:
        renounce(actor=actor, user=user.pk, proved=row.mailed, name=name)
    return user


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
