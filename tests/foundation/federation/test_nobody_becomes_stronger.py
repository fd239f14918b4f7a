"""A provider brings nobody more than whoever set it up: neither as a stronger member, nor by a seat in a group."""

from typing import Any

import pytest

from foundation.access.custom_roles import create_role
from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.actors import Actor, ActorKind, AuthenticationMethod
from foundation.errors import InvalidError
from foundation.federation.connection import Claims
from foundation.federation.models import FederatedIdentity, IdentityProvider
from foundation.federation.services import add_provider, change_provider, map_group
from foundation.federation.sign_in import admit
from foundation.identity.models import GroupMember, Membership
from foundation.identity.services import create_api_key
from foundation.ids import uuid7
from foundation.instants import database_now
from foundation.organisations.models import GrantTarget
from tests.foundation.api.world import Api
from tests.foundation.identity.household import Household, make_household

KEEPER = ["organisation.manage", "organisation.view"]


@pytest.fixture
def household(database: Any) -> Household:
    """The owner administers, the member keeps providers and no more."""
    made = make_household()
    with made.in_tenant():
        create_role(actor=made.shell, slug="keeper", name="Keeper", permissions=KEEPER)
        give(made, made.member, "keeper")
    return made


def give(household: Household, membership: Membership, role: str) -> Grant:
    root = GrantTarget.objects.get(pk=household.organisation.id)
    return grant(actor=household.shell, principal=membership.principal, role=role, target=root)


def browser_of(household: Household, membership: Membership) -> Actor:
    return Actor(
        kind=ActorKind.PERSON, name="P", principal=membership.principal_id, user=membership.user_id,
        organisation=household.organisation.id, method=AuthenticationMethod.PASSWORD, authenticated_at=database_now(),
    )  # fmt: skip


def provider_of(household: Household, membership: Membership) -> IdentityProvider:
    return add_provider(
        actor=browser_of(household, membership), slug=f"p{uuid7().hex[-12:]}", name="Acme ID", client_id="remit",
        issuer="https://id.example", secret="s", domains=["example.org"],
    )  # fmt: skip


def comes_in(household: Household, provider: IdentityProvider, membership: Membership, *groups: str) -> Membership:
    email = household.user(membership).email
    claims = Claims(subject=f"s-{membership.pk}", email=email, name="x", groups=frozenset(groups))
    provider = IdentityProvider.objects.get(pk=provider.pk)
    return admit(actor=household.shell, provider=provider, claims=claims)


def roles_through_groups(membership: Membership) -> set[str]:
    groups = GroupMember.objects.filter(member=membership.principal_id).values("group_id")
    return set(Grant.objects.filter(principal_id__in=groups).values_list("role", flat=True))


def test_no_key_touches_a_provider_and_is_told_where_it_is_done(household: Household):
    with household.in_tenant():
        given = {"actor": household.shell, "principal": household.owner.principal, "name": "k"}
        keys = [create_api_key(**given, scopes=scopes)[1] for scopes in ((), ("organisation.manage",))]
        provider = provider_of(household, household.owner)
    body = {"slug": f"p{uuid7().hex[-12:]}", "name": "x", "issuer": "https://evil.example", "client_id": "r",
            "domains": ["example.org"]}  # fmt: skip
    mapped = {"group": "g", "role": "viewer", "target": str(household.organisation.id)}
    here = f"/identity-providers/{provider.id}"
    for api in map(Api, keys):
        for answer in (
            api.post("/identity-providers", body), api.patch(here, {"issuer": "https://evil.example"}),
            api.post(f"{here}/map", mapped), api.delete(here),
        ):  # fmt: skip
            assert answer.status_code == 403, answer.content
            assert "Settings → Single sign-on" in answer.json()["detail"]
        assert api.get("/identity-providers").status_code == 200
    with household.in_tenant():
        assert IdentityProvider.objects.get().issuer == "https://id.example"


def test_whoever_may_less_becomes_nobody_who_may_more(household: Household):
    with household.in_tenant():
        provider = provider_of(household, household.member)
        with pytest.raises(InvalidError, match="You may do more here"):
            comes_in(household, provider, household.owner)
        assert not FederatedIdentity.objects.exists()
        assert comes_in(household, provider, household.member).pk == household.member.pk


def test_an_administrator_connects_people_and_administrators_but_no_auditor(household: Household):
    with household.in_tenant():
        provider = provider_of(household, household.owner)
        given = give(household, household.member, "auditor")
        with pytest.raises(InvalidError, match="until you have come in once"):
            comes_in(household, provider, household.member)
        given.delete()
        assert comes_in(household, provider, household.member).pk == household.member.pk
        give(household, household.member, "auditor")
        assert comes_in(household, provider, household.member).pk == household.member.pk
        assert comes_in(household, provider, household.owner).pk == household.owner.pk


@pytest.mark.parametrize("change", [{"groups_claim": "locale"}, {"secret": "other"}, {"issuer": "https://id.example"}])
def test_whoever_writes_what_decides_stands_for_it(household: Household, change: dict[str, str]):
    with household.in_tenant():
        provider = provider_of(household, household.owner)
        change_provider(actor=browser_of(household, household.member), provider=provider, name="Renamed")
        root = GrantTarget.objects.get(pk=household.organisation.id)
        map_group(actor=browser_of(household, household.owner), provider=provider, group="admins",
                  role="administrator", target=root)  # fmt: skip
        change_provider(actor=browser_of(household, household.member), provider=provider, **change)
        with pytest.raises(InvalidError, match="You may do more here"):
            comes_in(household, provider, household.owner)
        assert comes_in(household, provider, household.member, "admins").pk == household.member.pk
        assert roles_through_groups(household.member) == set()
        change_provider(actor=browser_of(household, household.owner), provider=provider, **change)
        comes_in(household, provider, household.member, "admins")
        assert roles_through_groups(household.member) == {"administrator"}
    [refused] = household.entries("group.join", "denied")
    assert "may not give this" in refused.reason


def test_nobody_maps_a_group_to_what_they_may_not_do(household: Household):
    with household.in_tenant():
        provider = provider_of(household, household.owner)
        root = GrantTarget.objects.get(pk=household.organisation.id)
        with pytest.raises(InvalidError, match="may do what you may not"):
            map_group(actor=browser_of(household, household.member), provider=provider, group="g",
                      role="administrator", target=root)  # fmt: skip


def test_whoever_maps_a_group_to_the_auditors_is_none_by_it(household: Household):
    with household.in_tenant():
        provider = provider_of(household, household.owner)
        root = GrantTarget.objects.get(pk=household.organisation.id)
        owner = browser_of(household, household.owner)
        map_group(actor=owner, provider=provider, group="audit", role="auditor", target=root)
        comes_in(household, provider, household.owner, "audit")
        assert roles_through_groups(household.owner) == set()
        map_group(actor=household.shell, provider=provider, group="audit", role="viewer", target=root)
        comes_in(household, provider, household.owner, "audit")
        assert roles_through_groups(household.owner) == set()
        comes_in(household, provider, household.member, "audit")
        assert roles_through_groups(household.member) == {"auditor", "viewer"}


def test_a_provider_of_which_nobody_knows_who_set_it_up_brings_nothing(household: Household):
    with household.in_tenant():
        provider = provider_of(household, household.owner)
        IdentityProvider.objects.filter(pk=provider.pk).update(strength=None)
        with pytest.raises(InvalidError, match="saved anew"):
            comes_in(household, provider, household.owner)
