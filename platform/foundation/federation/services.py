"""Verbs on identity providers, on what their groups mean here, and on whom they vouch for."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from foundation.access.models import Grant
from foundation.access.services import grant, withdraw
from foundation.actors import Actor, AuthenticationMethod
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.federation.addresses import PLAIN, is_sealed
from foundation.federation.models import FederatedIdentity, GroupMapping, IdentityProvider
from foundation.federation.vouching import DECISIVE, NO_SEAT, may_seat, strength_of
from foundation.identity.models import GroupMember, Membership, Principal, PrincipalKind, PrincipalState
from foundation.identity.sessions import end_sessions_bound_to
from foundation.identity.step_up import require_browser, require_fresh
from foundation.ids import uuid7
from foundation.inputs import checked_slug, checked_text, organisation_of, refuse_agent
from foundation.instants import database_now
from foundation.organisations.models import GrantTarget
from foundation.secrets.sealing import seal

_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_WHOSE_SUBJECTS = ("issuer", "client_id")  # a subject means somebody within these alone
CHANGEABLE = ("name", "issuer", "client_id", "domains", "groups_claim", "provisions", "required", "is_active")


@transaction.atomic
def add_provider(
    *,
    actor: Actor,
    slug: str,
    name: str,
    issuer: str,
    client_id: str,
    secret: str,
    domains: Sequence[str],
    groups_claim: str = "groups",
    provisions: bool = True,
) -> IdentityProvider:
    """Have people of these e-mail domains sign in at an OpenID Connect provider. Nobody is required to, at first."""
    _require_browser(actor)
    identifier = uuid7()
    provider = IdentityProvider(
        id=identifier,
        organisation_id=organisation_of(actor),
        slug=checked_slug(slug),
        sealed_secret=seal(secret, context=f"identity-provider:{identifier}") if secret else "",
        provisions=provisions,
        configured_by=actor.principal,
        strength=strength_of(actor),
        **_checked(name=name, issuer=issuer, client_id=client_id, domains=domains, groups_claim=groups_claim),
    )
    try:
        # The short name stands in an address that is open to everybody, so one organisation alone has it.
        with transaction.atomic():
            provider.save(force_insert=True)
    except IntegrityError as error:
        raise ConflictError(f"There is a provider {slug} already: choose another short name.") from error
    record(_about(actor, "identity_provider.add", provider, issuer=issuer, domains=list(provider.domains)))
    return provider


@transaction.atomic
def change_provider(*, actor: Actor, provider: IdentityProvider, secret: str = "", **changes: Any) -> IdentityProvider:
    """Other values for some of `CHANGEABLE`, or another secret (empty keeps the present one).

    Whoever writes what decides whom it names stands for it from then on, also where the value is the former one.
    Switched off, or with another issuer or client, whom it has let in is signed out here at once.
    """
    _require_browser(actor)
    provider = IdentityProvider.objects.select_for_update().get(pk=provider.pk)
    if unknown := sorted(set(changes) - set(CHANGEABLE)):
        raise InvalidError(f"There is no {unknown[0]!r} to change.", unknown[0])
    checked = _checked(**changes)
    former = {name: getattr(provider, name) for name in checked}
    if checked.get("is_active") is False and former["is_active"]:
        _end_sessions(actor, provider)
    if any(checked.get(name, former.get(name)) != former.get(name) for name in _WHOSE_SUBJECTS):
        # What was 42 there is somebody else here: whom the former one let in is known anew, by the address of mail.
        _end_sessions(actor, provider)
        provider.identities.all().delete()
    for name, value in checked.items():
        setattr(provider, name, value)
    if secret:
        provider.sealed_secret = seal(secret, context=f"identity-provider:{provider.pk}")
    if secret or DECISIVE & set(checked):
        provider.configured_by, provider.strength = actor.principal, strength_of(actor)
    provider.save()
    changed = {name: value for name, value in checked.items() if former[name] != value}
    record(_about(actor, "identity_provider.change", provider, new_secret=bool(secret), **changed))
    return provider


@transaction.atomic
def remove_provider(*, actor: Actor, provider: IdentityProvider) -> None:
    """Nobody comes in through it any more; whom it brought is signed out, and stays without the groups that it kept."""
    _require_browser(actor)
    for mapping in provider.mappings.select_related("principal"):
        _end_group(actor, mapping)
    _end_sessions(actor, provider)
    record(_about(actor, "identity_provider.remove", provider))
    provider.delete()


@transaction.atomic
def map_group(*, actor: Actor, provider: IdentityProvider, group: str, role: str, target: GrantTarget) -> GroupMapping:
    """Whoever is in this group there has this role here, from its next sign-in on until it is out of the group."""
    _require_browser(actor)
    group = checked_text(group, 200, "group")
    mapping = GroupMapping.objects.filter(provider=provider, group=group).select_related("principal").first()
    if mapping is None:
        principal = Principal.objects.create(
            organisation_id=provider.organisation_id, kind=PrincipalKind.GROUP, name=f"{group} ({provider.name})"[:160]
        )
        mapping = GroupMapping.objects.create(
            organisation_id=provider.organisation_id, provider=provider, group=group, principal=principal
        )
    if actor.principal is not None:
        mapping.mapped_by = sorted({*(mapping.mapped_by or ()), actor.principal})
        mapping.save(update_fields=["mapped_by"])
    grant(
        actor=actor, principal=mapping.principal, role=role, target=target, reason=f"group {group} at {provider.name}"
    )
    record(_about(actor, "identity_provider.map", provider, group=group, role=role, target=target.id))
    return mapping


@transaction.atomic
def unmap_group(*, actor: Actor, mapping: GroupMapping) -> None:
    """The group there means nothing here any more."""
    _require_browser(actor)
    _end_group(actor, mapping)
    record(_about(actor, "identity_provider.unmap", mapping.provider, group=mapping.group))
    mapping.delete()


@transaction.atomic
def keep_groups(
    *, actor: Actor, provider: IdentityProvider, identity: FederatedIdentity, groups: Collection[str]
) -> None:
    """The person is in just those of the mapped groups that the provider has named at this sign-in.

    A seat that gives more than whoever set the provider up could give is not given, and the record says so.
    """
    FederatedIdentity.objects.filter(pk=identity.pk).update(last_seen_at=Now())
    mappings = list(provider.mappings.select_related("principal"))
    kept = GroupMember.objects.filter(group__in=[one.principal_id for one in mappings], member=identity.principal_id)
    present = {one.group_id: one for one in kept}
    for mapping in mappings:
        inside, member = mapping.group in groups, present.get(mapping.principal_id)
        if inside and member is None and not may_seat(provider, mapping, identity.principal_id):
            record(_about_member(actor, "group.join", mapping, identity, outcome="denied", reason=NO_SEAT))
            continue
        if inside and member is None:
            GroupMember.objects.create(
                organisation_id=provider.organisation_id,
                group=mapping.principal,
                member_id=identity.principal_id,
                source=GroupMember.Source.OIDC,
            )
        elif not inside and member is not None and member.source == GroupMember.Source.OIDC:
            member.delete()
        else:
            continue
        record(_about_member(actor, "group.join" if inside else "group.leave", mapping, identity))


def _require_browser(actor: Actor) -> None:
    """A provider outlasts the key that made it, and lets in whom it names: no key is enough for that."""
    refuse_agent(actor)
    require_browser(actor, "changes identity providers", "Single sign-on")
    require_fresh(actor)


def _end_sessions(actor: Actor, provider: IdentityProvider) -> None:
    """Whom it has let in is signed out here for good: its sessions do not count again when it is switched on again.

    Whoever does this in a browser of its own means stays in that one.
    """
    people = Membership.objects.filter(principal_id__in=provider.identities.values("principal_id"))
    if actor.user is not None and actor.method is not AuthenticationMethod.SINGLE_SIGN_ON:
        people = people.exclude(user_id=actor.user)
        end_sessions_bound_to(provider.organisation_id, actor.user)
    people.update(sessions_from=database_now())


def _end_group(actor: Actor, mapping: GroupMapping) -> None:
    for given in Grant.objects.filter(principal_id=mapping.principal_id):
        withdraw(actor=actor, grant=given)
    GroupMember.objects.filter(group_id=mapping.principal_id).delete()
    Principal.objects.filter(pk=mapping.principal_id).update(state=PrincipalState.LEFT)


def _checked(**values: Any) -> dict[str, Any]:
    found = dict(values)
    for name, longest in (("name", 120), ("client_id", 200), ("groups_claim", 60)):
        if name in found:
            found[name] = checked_text(str(found[name]), longest, name)
    if "issuer" in found:
        found["issuer"] = issuer = checked_text(str(found["issuer"]), 300, "issuer").rstrip("/")
        if not is_sealed(issuer):
            raise InvalidError(PLAIN, "issuer")
    if "domains" in found:
        given = found["domains"]
        found["domains"] = sorted({str(one).strip().lower().lstrip("@") for one in given if str(one).strip()})
        if not found["domains"] or not all(_DOMAIN.fullmatch(one) for one in found["domains"]):
            raise InvalidError("Name at least one e-mail domain such as example.org.", "domains")
    return found


def _about(actor: Actor, action: str, provider: IdentityProvider, **details: object) -> Entry:
    return entry(actor, action, target_kind="identity_provider", target_id=provider.id, target_name=provider.name,
                 details=details)  # fmt: skip


def _about_member(
    actor: Actor, action: str, mapping: GroupMapping, identity: FederatedIdentity, outcome: str = "ok", reason: str = ""
) -> Entry:
    group, details = mapping.principal, {"member": identity.principal_id, "source": "oidc"}
    return entry(actor, action, target_kind="group", target_id=group.id, target_name=group.name, details=details,
                 outcome=outcome, reason=reason)  # fmt: skip
