"""Signing in at an organisation's identity provider. Call it outside any transaction."""

from dataclasses import dataclass, replace
from typing import NoReturn
from uuid import UUID

from django.db import connection, transaction
from django.http import HttpRequest

from foundation.actors import Actor, AuthenticationMethod, system_actor
from foundation.audit.record import entry, record, record_refusal
from foundation.errors import InvalidError
from foundation.federation.connection import Claims, Connection
from foundation.federation.models import FederatedIdentity, IdentityProvider
from foundation.federation.services import keep_groups
from foundation.federation.vouching import STRONGER, is_beyond
from foundation.identity.attempts import succeed
from foundation.identity.beginning import allow, begin_session
from foundation.identity.lookups import user_by_id
from foundation.identity.models import Membership, PrincipalState
from foundation.identity.proof import keep_to_provider
from foundation.identity.refusals import anonymous
from foundation.identity.requests import address_of, request_id_of
from foundation.identity.services import add_person
from foundation.organisations.models import Organisation
from foundation.tenancy.context import tenant


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """As much of a provider as whoever is not signed in may know."""

    id: UUID
    organisation: UUID
    slug: str
    name: str
    organisation_name: str


def providers_for(wanted: str) -> list[ProviderRow]:
    """The active providers of an e-mail address's domain, or the one with this short name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM remit_identity_providers(%s)", [wanted.strip().rpartition("@")[2].lower()])
        return [ProviderRow(*row) for row in cursor.fetchall()]


def providers_of(organisation: UUID) -> list[ProviderRow]:
    """The active providers of an organisation, for whoever is signed in there."""
    with tenant(organisation):
        rows = IdentityProvider.objects.filter(is_active=True).select_related("organisation")
        return [ProviderRow(one.id, one.organisation_id, one.slug, one.name, one.organisation.name) for one in rows]


def begin_at_provider(request: HttpRequest, slug: str, after: str, *, again: bool = False) -> str:
    """The address to send the browser to. Raises InvalidError."""
    allow(request, "")
    there = Connection(request, _provider(slug)).begin(after, again=again)
    succeed("", address_of(request))
    return there


def finish_at_provider(request: HttpRequest, slug: str) -> str:
    """Begin a web session for whoever the provider names; the address to go on to. Raises InvalidError.

    A person whom nobody knew becomes one of the organisation, if the provider may do that.
    """
    allow(request, "")
    provider = _provider(slug)
    try:
        claims, kept = Connection(request, provider).finish()
        with tenant(provider.organisation_id):
            membership = admit(actor=_actor(request, provider), provider=provider, claims=claims)
    except InvalidError as error:
        _refuse(request, provider, error)
    user = user_by_id(membership.user_id)
    if user is None or not user.is_active:
        _refuse(request, provider, InvalidError("Your access is suspended: ask an administrator."))
    begin_session(request, user, AuthenticationMethod.SINGLE_SIGN_ON, bound_to=provider.organisation_id)
    return str(kept["next"])


@transaction.atomic
def admit(*, actor: Actor, provider: IdentityProvider, claims: Claims) -> Membership:
    """Whom the provider's claims mean here: known by its subject, else by its address of mail, else somebody new."""
    if claims.email.rpartition("@")[2] not in provider.domains:
        raise InvalidError(f"{provider.name} lets nobody in with this address: its domain is not among those entered.")
    known = FederatedIdentity.objects.filter(provider=provider, subject=claims.subject).first()
    membership = _member(known) if known is not None else None
    if known is not None and membership is None:
        membership = _back_again(provider, claims)
        known.principal = membership.principal
        known.save(update_fields=["principal"])
    if known is None or membership is None:
        membership = _found_by_address(actor, provider, claims)
        known = FederatedIdentity.objects.create(
            organisation_id=provider.organisation_id, provider=provider, principal=membership.principal,
            subject=claims.subject,
        )  # fmt: skip
        record(entry(actor, "person.link", target_kind="person", target_id=membership.principal_id,
                     target_name=membership.principal.name, details={"provider": provider.id}))  # fmt: skip
    if membership.principal.state != PrincipalState.ACTIVE:
        raise InvalidError("Your access is suspended: ask an administrator.")
    keep_to_provider(actor=actor, membership=membership)
    keep_groups(actor=actor, provider=provider, identity=known, groups=claims.groups)
    return membership


def _member(known: FederatedIdentity) -> Membership | None:
    return Membership.objects.select_related("principal").filter(principal_id=known.principal_id).first()


def _back_again(provider: IdentityProvider, claims: Claims) -> Membership:
    """Whoever has left comes back only if somebody here has added them anew."""
    rows = Membership.objects.filter(organisation_id=provider.organisation_id, user__email__iexact=claims.email)
    membership = rows.select_related("principal").first()
    if membership is None:
        raise InvalidError("You have left this organisation: ask an administrator to add you again.")
    if is_beyond(provider, membership.principal):
        raise InvalidError(STRONGER)
    return membership


def _found_by_address(actor: Actor, provider: IdentityProvider, claims: Claims) -> Membership:
    rows = Membership.objects.filter(organisation_id=provider.organisation_id, user__email__iexact=claims.email)
    membership = rows.select_related("principal").first()
    if membership is None:
        if not provider.provisions:
            raise InvalidError("You are not known here yet: ask an administrator to add or invite you.")
        organisation = Organisation.objects.get(pk=provider.organisation_id)
        return add_person(actor=actor, organisation=organisation, email=claims.email, name=claims.name)
    if FederatedIdentity.objects.filter(provider=provider, principal_id=membership.principal_id).exists():
        # The address was given to somebody else: whoever had it keeps what it has here.
        raise InvalidError("This address belongs to another account of the provider here: ask an administrator.")
    if is_beyond(provider, membership.principal):
        raise InvalidError(STRONGER)
    return membership


def _provider(slug: str) -> IdentityProvider:
    row = next((one for one in providers_for(slug) if one.slug == slug), None)
    if row is None:
        raise InvalidError("There is no such identity provider, or it is switched off: ask your administrator.")
    with tenant(row.organisation):
        return IdentityProvider.objects.get(pk=row.id)


def _actor(request: HttpRequest, provider: IdentityProvider) -> Actor:
    system = system_actor("single sign-on", provider.organisation_id)
    return replace(system, request=request_id_of(request), address=address_of(request))


def _refuse(request: HttpRequest, provider: IdentityProvider, error: InvalidError) -> NoReturn:
    who = anonymous(request=request_id_of(request), address=address_of(request))
    record_refusal(
        entry(
            who, "person.sign_in", target_kind="identity_provider", target_id=provider.id, target_name=provider.name,
            outcome="denied", reason=error.message, organisation=provider.organisation_id,
        )
    )  # fmt: skip
    raise error
