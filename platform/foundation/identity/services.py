"""Verbs on people, services and what they sign in with."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models.functions import Now

from foundation.actors import Actor, ActorKind
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError, LackingError
from foundation.identity.lineage import about_revoked, acting_key, end_within, revoke_made_by
from foundation.identity.lookups import invite_user, see_as_user
from foundation.identity.models import ApiKey, Membership, Principal, PrincipalKind, PrincipalState, SignInLink, User
from foundation.identity.passwords import refuse_weak
from foundation.identity.proof import locked_user
from foundation.identity.step_up import refuse_foreign, require_fresh
from foundation.identity.tokens import digest, new_key, new_link_token
from foundation.inputs import checked_text, refuse_agent
from foundation.instants import database_now
from foundation.organisations.models import Organisation

LONGEST_LINK = 24 * 60  # minutes
_STOPPED: dict[str, str] = {PrincipalState.SUSPENDED: "is suspended: restore it first", PrincipalState.LEFT: "has left"}


@transaction.atomic
def add_person(
    *, actor: Actor, organisation: Organisation, email: str, name: str, accepted: bool = False
) -> Membership:
    """A person in the organisation, without any role yet. A user of another organisation stays the same user.

    `accepted`: that user says so itself, or becomes one by it; else it is seated by the address.
    """
    refuse_agent(actor)
    name, email = checked_text(name, 120), email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidError(f"{email!r} is no e-mail address: give one such as name@example.org.", "email") from error
    user = invite_user(email, name)
    if Membership.objects.filter(organisation=organisation, user_id=user).exists():
        raise ConflictError(f"{email} belongs to {organisation.name} already.")
    principal = Principal.objects.create(organisation=organisation, kind=PrincipalKind.PERSON, name=name)
    membership = Membership.objects.create(
        organisation=organisation, user_id=user, principal=principal, accepted=accepted
    )
    record(_about(actor, "person.add", principal))
    return membership


@transaction.atomic
def create_service(*, actor: Actor, organisation: Organisation, name: str) -> Principal:
    """A program that acts in the organisation; it needs a grant and an API key."""
    refuse_agent(actor)
    principal = Principal.objects.create(
        organisation=organisation, kind=PrincipalKind.SERVICE, name=checked_text(name, 160)
    )
    record(_about(actor, "service.create", principal))
    return principal


@transaction.atomic
def suspend_principal(*, actor: Actor, principal: Principal, reason: str) -> Principal:
    """From now on it may not act: its web sessions and API keys are refused.

    Doors call `foundation.access.people.stop_person`, which keeps the last administrator.
    """
    if principal.id == actor.principal:
        raise InvalidError("You cannot suspend yourself: ask another administrator.")
    return _change_state(actor, principal, PrincipalState.SUSPENDED, checked_text(reason, 300, "reason"))


@transaction.atomic
def restore_principal(*, actor: Actor, principal: Principal, by_directory: bool = False) -> Principal:
    """It may act again. Whoever a directory keeps is restored by that directory only."""
    if principal.directory and not by_directory:
        raise ConflictError(f"A directory keeps {principal.name} over SCIM: restore it there.")
    return _change_state(actor, principal, PrincipalState.ACTIVE, "")


@transaction.atomic
def create_api_key(
    *,
    actor: Actor,
    principal: Principal,
    name: str,
    scopes: tuple[str, ...] = (),
    expires_at: datetime | None = None,
    maker: ApiKey | None = None,
) -> tuple[ApiKey, str]:
    """A key and its secret, which is shown this once. `scopes` names the permissions it is narrowed to; none means all.

    A person's key is made by that person alone, or from the shell: it acts in the person's name. What a key makes
    (`maker`, or else the one that acts) ends with it.
    """
    refuse_agent(actor)
    require_fresh(actor)
    _refuse_key_for(actor, principal, scopes)
    if expires_at is not None and expires_at <= database_now():
        raise InvalidError("The key would have expired already: choose a later day.", "expires_at")
    acting = acting_key(actor)
    maker = maker or acting
    expires_at = end_within(maker, expires_at)
    made = new_key()
    key = ApiKey.objects.create(
        organisation_id=principal.organisation_id,
        principal=principal,
        name=checked_text(name, 120),
        prefix=made.prefix,
        digest=made.digest,
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        made_by=maker,
        shown_to_id=actor.principal if actor.is_person else acting.shown_to_id if acting else None,
    )
    details = {"principal": principal.id, "prefix": key.prefix, "scopes": key.scopes, "expires_at": expires_at,
               "made_by": key.made_by_id}  # fmt: skip
    record(entry(actor, "key.create", target_kind="api_key", target_id=key.id, target_name=key.name, details=details))
    return key, made.token


@transaction.atomic
def revoke_api_key(*, actor: Actor, api_key: ApiKey) -> ApiKey:
    """The key is never accepted again, nor is any that it has made."""
    refuse_agent(actor)
    key = ApiKey.objects.select_for_update().get(pk=api_key.pk)
    if key.revoked_at is not None:
        raise ConflictError(f"The key {key.name} is revoked already.")
    key.revoked_at = database_now()
    key.save(update_fields=["revoked_at"])
    record(about_revoked(actor, key), *revoke_made_by(actor, [key.pk]))
    return key


@transaction.atomic(using="system")
def create_sign_in_link(*, actor: Actor, user: User, minutes: int = 15) -> str:
    """The address of a page that signs the person in once. Only the shell makes one: it runs as the system role."""
    if actor.kind is not ActorKind.SYSTEM:
        raise InvalidError("Sign-in links are made from the shell: run `manage.py sign_in_link`.")
    if not 1 <= minutes <= LONGEST_LINK:
        raise InvalidError(f"A link lives 1 to {LONGEST_LINK} minutes.", "minutes")
    token = new_link_token()
    SignInLink.objects.using("system").create(
        user_id=user.pk, digest=digest(token), expires_at=Now() + timedelta(minutes=minutes)
    )
    places = Membership.objects.using("system").filter(user_id=user.pk).values_list("organisation_id", flat=True)
    record(*(_about_link(actor, user, place, minutes) for place in places or [None]), using="system")
    return f"{settings.PUBLIC_URL}/sign-in/link/{token}/"


@transaction.atomic
def change_password(*, actor: Actor, user: User, password: str) -> User:
    """Set the own password (or anybody's, from the shell). All web sessions of the person end."""
    if actor.user != user.pk and actor.kind is not ActorKind.SYSTEM:
        raise InvalidError("Only the person itself can change its password.", "password")
    refuse_foreign(actor)
    require_fresh(actor)
    refuse_weak(password, user)
    see_as_user(user.pk)
    locked_user(actor, user.pk)
    user.set_password(password)
    user.save(update_fields=["password"])
    record(entry(actor, "person.change_password", target_kind="person", target_id=user.pk, target_name=user.name))
    return user


def _change_state(actor: Actor, principal: Principal, state: PrincipalState, reason: str) -> Principal:
    refuse_agent(actor)
    principal = Principal.objects.select_for_update().get(pk=principal.pk)
    if principal.kind == PrincipalKind.AGENT:
        raise InvalidError(f"{principal.name} is an agent: suspend or activate the agent itself.")
    if principal.kind == PrincipalKind.GROUP:
        raise InvalidError(f"{principal.name} is a group: suspend its members, or withdraw its grants.")
    if principal.state == PrincipalState.LEFT:
        raise ConflictError(f"{principal.name} has left for good: add the person anew.")
    if principal.state == state:
        raise ConflictError(f"{principal.name} is {state} already.")
    principal.state = state
    principal.save(update_fields=["state"])
    action = "suspend" if state == PrincipalState.SUSPENDED else "restore"
    record(_about(actor, f"{principal.kind}.{action}", principal, reason))
    return principal


def _refuse_key_for(actor: Actor, principal: Principal, scopes: tuple[str, ...]) -> None:
    if principal.kind == PrincipalKind.AGENT:
        raise InvalidError("An agent has no API key: it acts through its runs. Make the key for a service.")
    if principal.kind == PrincipalKind.GROUP:
        raise InvalidError("A group has no API key: make the key for a service.")
    if (
        principal.kind == PrincipalKind.PERSON
        and actor.kind is not ActorKind.SYSTEM
        and actor.principal != principal.id
    ):
        raise LackingError("Only the person itself can make a key in its own name. Make the key for a service.")
    if principal.state != PrincipalState.ACTIVE:
        raise InvalidError(f"{principal.name} {_STOPPED[principal.state]}.")
    if actor.scopes is not None and not (scopes and actor.scopes.issuperset(scopes)):
        message = "A key cannot make a wider one: name scopes that this key has itself."
        raise LackingError(message, {*scopes} - actor.scopes, "scopes")


def _about_link(actor: Actor, user: User, organisation: UUID | None, minutes: int) -> Entry:
    return entry(
        actor,
        "person.sign_in_link",
        target_kind="person",
        target_id=user.pk,
        target_name=user.name,
        details={"minutes": minutes},
        organisation=organisation,
    )


def _about(actor: Actor, action: str, principal: Principal, reason: str = "") -> Entry:
    return entry(
        actor, action, target_kind=principal.kind, target_id=principal.id, target_name=principal.name, reason=reason
    )
