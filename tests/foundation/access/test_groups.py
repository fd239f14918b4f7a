"""Groups: what a group is granted counts for its members, as long as they are in it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from foundation.access.groups import add_member, create_group, end_group, remove_member, rename_group
from foundation.access.models import permissions_on
from foundation.access.services import grant, withdraw
from foundation.actors import AuthenticationMethod
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import GroupMember, Principal
from foundation.identity.services import create_service
from foundation.identity.step_up import FRESH, StaleSignInError
from foundation.organisations.models import Team
from tests.foundation.access.actors import acting, acting_as, root
from tests.foundation.identity.household import Household, make_household


@pytest.fixture
def group(household: Household) -> Principal:
    """An empty group."""
    with household.in_tenant():
        return create_group(actor=acting(household.owner), name="Night shift")


def test_members_hold_what_the_group_is_granted(household: Household, team: Team, group: Principal) -> None:
    """Whichever comes first, and no longer than either."""
    owner, member = acting(household.owner), acting(household.member)
    with household.in_tenant():
        seat = add_member(actor=owner, group=group, member=household.member.principal)
        given = grant(actor=owner, principal=group, role="operator", target=team.target)
        assert "run.start" in permissions_on(member, team.id)
        assert "run.start" not in permissions_on(member, household.organisation.id)
        withdraw(actor=owner, grant=given)
        assert not permissions_on(member, team.id)
        grant(actor=owner, principal=group, role="viewer", target=root(household))
        assert "run.view" in permissions_on(member, team.id)
        remove_member(actor=owner, membership=seat)
        assert not permissions_on(member, team.id)
    assert [entry.target_name for entry in household.entries("group.add_member")] == ["Night shift"]


def test_service_is_a_member_too(household: Household, group: Principal) -> None:
    """A program gets what its group has."""
    owner = acting(household.owner)
    with household.in_tenant():
        service = create_service(actor=owner, organisation=household.organisation, name="Importer")
        grant(actor=owner, principal=group, role="viewer", target=root(household))
        add_member(actor=owner, group=group, member=service)
        assert "run.view" in permissions_on(acting_as(service), household.organisation.id)


def test_nobody_becomes_stronger_by_a_seat(household: Household, team: Team, group: Principal) -> None:
    """A team lead puts nobody, nor itself, into a group of administrators."""
    owner, lead = acting(household.owner), acting(household.member)
    with household.in_tenant():
        grant(actor=owner, principal=household.member.principal, role="team-lead", target=team.target)
        grant(actor=owner, principal=group, role="administrator", target=root(household))
        with pytest.raises(InvalidError, match="you may not"):
            add_member(actor=lead, group=group, member=household.member.principal)


def test_groups_do_not_nest_and_hold_no_agents_nor_strangers(household: Household, group: Principal) -> None:
    """Only people and services of the same organisation."""
    owner, other = acting(household.owner), make_household("Other")
    with household.in_tenant():
        inner = create_group(actor=owner, name="Inner")
        with pytest.raises(InvalidError, match="do not nest"):
            add_member(actor=owner, group=group, member=inner)
    with other.in_tenant():
        foreign = Principal.objects.get(pk=other.member.principal_id)
    with household.in_tenant(), pytest.raises(InvalidError, match="different organisations"):
        add_member(actor=owner, group=group, member=foreign)


def test_ended_group_counts_for_nobody(household: Household, group: Principal) -> None:
    """It ends only without grants."""
    owner = acting(household.owner)
    with household.in_tenant():
        add_member(actor=owner, group=group, member=household.member.principal)
        given = grant(actor=owner, principal=group, role="viewer", target=root(household))
        with pytest.raises(ConflictError, match="still holds 1 grant:"):
            end_group(actor=owner, group=group)
        Principal.objects.filter(pk=group.pk).update(state="suspended")
        assert not permissions_on(acting(household.member), household.organisation.id)
        Principal.objects.filter(pk=group.pk).update(state="active")
        assert permissions_on(acting(household.member), household.organisation.id)
        withdraw(actor=owner, grant=given)
        end_group(actor=owner, group=group)
        assert not GroupMember.objects.filter(group=group).exists()
        with pytest.raises(ConflictError, match="has ended"):
            add_member(actor=owner, group=group, member=household.member.principal)


def test_what_a_directory_keeps_is_not_changed_by_hand(household: Household, group: Principal) -> None:
    """Only the source of a membership takes it away."""
    owner = acting(household.owner)
    with household.in_tenant():
        seat = add_member(actor=household.shell, group=group, member=household.member.principal, source="oidc")
        with pytest.raises(ConflictError, match="A directory keeps Member"):
            remove_member(actor=owner, membership=seat)
        with pytest.raises(ConflictError, match="already"):
            add_member(actor=owner, group=group, member=household.member.principal)


def test_names_are_taken_once(household: Household, group: Principal) -> None:
    """Among the groups that exist."""
    owner = acting(household.owner)
    with household.in_tenant():
        with pytest.raises(ConflictError, match="already"):
            create_group(actor=owner, name="Night shift")
        other = create_group(actor=owner, name="Day shift")
        with pytest.raises(ConflictError, match="already"):
            rename_group(actor=owner, group=other, name="Night shift")
        assert rename_group(actor=owner, group=other, name="Early shift").name == "Early shift"


def test_a_seat_that_gives_roles_wants_a_recent_sign_in(household: Household, group: Principal) -> None:
    """To be given and to be taken, as the grant itself does."""
    owner = acting(household.owner)
    stale = replace(owner, method=AuthenticationMethod.PASSWORD, authenticated_at=datetime.now(UTC) - 2 * FRESH)
    fresh = replace(stale, authenticated_at=datetime.now(UTC))
    member = household.member.principal
    with household.in_tenant():
        remove_member(actor=stale, membership=add_member(actor=stale, group=group, member=member))
        grant(actor=owner, principal=group, role="administrator", target=root(household))
        with pytest.raises(StaleSignInError):
            add_member(actor=stale, group=group, member=member)
        seat = add_member(actor=fresh, group=group, member=member)
        with pytest.raises(StaleSignInError):
            remove_member(actor=stale, membership=seat)
        remove_member(actor=fresh, membership=seat)
