"""Verbs on invitations. A link counts once; what it gives, it gives in the name of whoever invited, as that one may."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.functions import Now

from foundation.access.models import Role, held_by, permissions_on
from foundation.access.roles import ROLES, Permission
from foundation.access.services import grant
from foundation.access.strength import lacking
from foundation.actors import Actor, ActorKind, system_actor
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.models import Membership, PrincipalState, User
from foundation.identity.services import add_person
from foundation.identity.step_up import require_fresh
from foundation.identity.tokens import digest, new_link_token
from foundation.inputs import checked_optional, refuse_agent
from foundation.invitations.models import Invitation
from foundation.organisations.models import GrantTarget, Organisation

LONGEST = 30  # days
TEXT = """{inviter} invites you to {organisation} on Remit.

Open this address within {days} days to accept:

{link}

If you do not know why you got this, do nothing: the link then ends by itself.
"""


@dataclass(frozen=True, slots=True)
class Invited:
    """The invitation, and its link where no mail has carried it: that is shown to the inviter, this once."""

    invitation: Invitation
    link: str


@transaction.atomic
def invite(
    *,
    actor: Actor,
    organisation: Organisation,
    email: str,
    role: str,
    target: GrantTarget,
    name: str = "",
    days: int = 7,
) -> Invited:
    """Ask somebody to join, with a role on a target, or with none yet. By mail if the installation sends mail.

    Nobody is of an organisation before saying so; whether the address is known elsewhere is told to nobody.
    """
    refuse_agent(actor)
    email, name = email.strip().lower(), checked_optional(name, 120, "name")
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidError(f"{email!r} is no e-mail address: give one such as name@example.org.", "email") from error
    if not 1 <= days <= LONGEST:
        raise InvalidError(f"An invitation lives 1 to {LONGEST} days.", "days")
    if Membership.objects.filter(organisation=organisation, user__email__iexact=email).exists():
        raise ConflictError(f"{email} belongs to {organisation.name} already: give the role there.")
    custom = _checked_role(actor, organisation, role, target) if role else None
    open_ones = Invitation.objects.filter(organisation=organisation, email=email, accepted_at=None, withdrawn_at=None)
    open_ones.update(withdrawn_at=Now())  # a new one replaces it
    token = new_link_token()
    made = Invitation.objects.create(
        organisation=organisation, email=email, name=name, role=role, custom_role=custom, target=target,
        invited_by_id=actor.principal, digest=digest(token), expires_at=Now() + timedelta(days=days),
    )  # fmt: skip
    link = f"{settings.PUBLIC_URL}/sign-in/invitation/{token}/"
    text = TEXT.format(inviter=actor.name, organisation=organisation.name, days=days, link=link)
    sent = settings.REMIT_SENDS_MAIL and _send(f"Invitation to {organisation.name}", text, email)
    if sent:
        Invitation.objects.filter(pk=made.pk).update(sent_at=Now())
    made.refresh_from_db()
    record(_about(actor, "invitation.create", made, role=role, target=target.id, by_mail=sent))
    return Invited(made, "" if sent else link)


@transaction.atomic
def withdraw_invitation(*, actor: Actor, invitation: Invitation) -> None:
    """Its link opens nothing any more."""
    refuse_agent(actor)
    done = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None).update(withdrawn_at=Now())
    if not done:
        raise ConflictError("This invitation was accepted or withdrawn already.")
    record(_about(actor, "invitation.withdraw", invitation))


@transaction.atomic
def accept_invitation(*, actor: Actor, invitation: Invitation, name: str, user: User | None = None) -> Membership:
    """Join. `user` is whoever is signed in; without one the address must be nobody's yet, and becomes a person.

    The role is given in the name of whoever invited: if that one may not any more, the invitation counts no longer.
    """
    refuse_agent(actor)
    rows = Invitation.objects.select_for_update(of=("self",)).select_related("target", "organisation", "invited_by")
    found = rows.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None, expires_at__gt=Now()).first()
    if found is None:
        raise InvalidError("This invitation was used already, withdrawn, or is too old: ask for a new one.")
    if user is not None and user.email.lower() != found.email:
        raise InvalidError(f"This invitation is for {found.email}: sign in with that address.")
    inviter = _inviter(found)
    system = system_actor("invitation", found.organisation_id)
    membership = add_person(actor=system, organisation=found.organisation, email=found.email, name=name,
                            accepted=True)  # fmt: skip
    if found.role:
        _give(inviter, membership, found)
    Invitation.objects.filter(pk=found.pk).update(accepted_at=Now())
    record(_about(actor, "invitation.accept", found, principal=membership.principal_id))
    return membership


def _give(inviter: Actor, membership: Membership, invitation: Invitation) -> None:
    role, target = invitation.role, invitation.target
    try:
        grant(actor=inviter, principal=membership.principal, role=role, target=target, reason="invitation")
    except InvalidError as error:
        raise InvalidError("Whoever invited you may not give this role any more: ask for a new invitation.") from error


def _inviter(invitation: Invitation) -> Actor:
    by = invitation.invited_by
    if by is None:
        return system_actor("invitation", invitation.organisation_id)
    actor = Actor(kind=ActorKind(by.kind), name=by.name, principal=by.id, organisation=invitation.organisation_id)
    if by.state != PrincipalState.ACTIVE or Permission.PERSON_MANAGE not in permissions_on(
        actor, invitation.organisation_id
    ):
        raise InvalidError("Whoever invited you may not do that any more: ask for a new invitation.")
    return actor


def _checked_role(actor: Actor, organisation: Organisation, role: str, target: GrantTarget) -> Role | None:
    custom = Role.objects.filter(organisation=organisation, slug=role).first()
    if custom is None and role not in ROLES:
        raise InvalidError(f"There is no role {role!r}: use one of {', '.join(ROLES)}, or a custom one.", "role")
    held = held_by(role, custom)
    if missing := lacking(actor, held, target.id, for_another=True):
        message = f"The role {role} may do what you may not on {target.name} ({min(missing)})."
        raise LackingError(message, missing, "role")
    if Permission.GRANT_MANAGE in held:
        require_fresh(actor)
    return custom


def _send(subject: str, text: str, to: str) -> bool:
    try:
        return bool(send_mail(subject.replace("\n", " ").replace("\r", " "), text, None, [to]))
    except OSError:
        # The mail server does not take it; the link is shown instead.
        return False


def _about(actor: Actor, action: str, invitation: Invitation, **details: object) -> Entry:
    return entry(actor, action, target_kind="invitation", target_id=invitation.id, target_name=invitation.email,
                 details=details)  # fmt: skip
