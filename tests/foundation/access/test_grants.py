"""Giving roles and taking them away."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from foundation.access.models import Grant, permissions_on
from foundation.access.services import grant, withdraw
from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import Membership, Principal, PrincipalKind
from foundation.identity.services import suspend_principal
from foundation.organisations.models import GrantTarget, Team
from foundation.organisations.services import create_team
from tests.foundation.identity.household import Household, make_household


def acting(membership: Membership) -> Actor:
    """A person of the household."""
    return Actor(
        kind=ActorKind.PERSON,
        name=str(membership.principal),
        principal=membership.principal_id,
        organisation=membership.organisation_id,
    )


def root(household: Household) -> GrantTarget:
    """The organisation as a target."""
    return GrantTarget.objects.get(pk=household.organisation.id)


def test_role_on_a_team_holds_below_it_only(household: Household, team: Team) -> None:
    """Teams nest, and so do grants; above and beside nothing changes."""
    actor = acting(household.member)
    with household.in_tenant():
        below = create_team(
            actor=household.shell, organisation=household.organisation, slug="sub", name="Sub", parent=team
        )
        beside = create_team(actor=household.shell, organisation=household.organisation, slug="other", name="Other")
        grant(actor=household.shell, principal=household.member.principal, role="operator", target=team.target)
        assert "run.start" in permissions_on(actor, team.id)
        assert "run.start" in permissions_on(actor, below.id)
        assert not permissions_on(actor, beside.id)
        assert not permissions_on(actor, household.organisation.id)


def test_granting_and_withdrawing_are_recorded(household: Household, team: Team) -> None:
    """With the names of both sides."""
    with household.in_tenant():
        given = grant(
            actor=acting(household.owner),
            principal=household.member.principal,
            role="viewer",
            target=team.target,
            reason="helps out",
        )
        with pytest.raises(ConflictError, match="already"):
            grant(actor=household.shell, principal=household.member.principal, role="viewer", target=team.target)
        withdraw(actor=acting(household.owner), grant=given)
        with pytest.raises(ConflictError):
            withdraw(actor=acting(household.owner), grant=given)
        assert not permissions_on(acting(household.member), team.id)
    entry = household.entries("grant.give")[-1]
    assert (entry.target_name, entry.reason) == ("Desk", "helps out")
    assert entry.details["principal_name"] == "Member"
    assert len(household.entries("grant.withdraw")) == 1


def test_expired_grant_gives_nothing_and_can_be_given_again(household: Household, team: Team) -> None:
    """By the database's clock."""
    member = household.member.principal
    with household.in_tenant():
        given = grant(
            actor=household.shell,
            principal=member,
            role="viewer",
            target=team.target,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        Grant.objects.filter(pk=given.pk).update(expires_at=datetime.now(UTC) - timedelta(hours=1))
        assert not permissions_on(acting(household.member), team.id)
        again = grant(actor=household.shell, principal=member, role="viewer", target=team.target)
        assert again.pk == given.pk
        assert permissions_on(acting(household.member), team.id)
        with pytest.raises(InvalidError, match="expired already"):
            grant(
                actor=household.shell,
                principal=member,
                role="operator",
                target=team.target,
                expires_at=datetime.now(UTC) - timedelta(seconds=1),
            )


def test_nobody_gives_or_takes_more_than_they_hold(household: Household, team: Team) -> None:
    """A team lead makes no administrators, not even on the own team, and takes none away."""
    lead = acting(household.member)
    with household.in_tenant():
        grant(actor=household.shell, principal=household.member.principal, role="team-lead", target=team.target)
        for role, target in (("administrator", team.target), ("viewer", root(household)), ("auditor", team.target)):
            with pytest.raises(InvalidError, match="you may not"):
                grant(actor=lead, principal=household.owner.principal, role=role, target=target)
        grant(actor=lead, principal=household.owner.principal, role="builder", target=team.target)
        theirs = Grant.objects.get(principal=household.owner.principal, role="administrator")
        with pytest.raises(InvalidError, match="you may not"):
            withdraw(actor=lead, grant=theirs)


def test_last_administrator_stays(household: Household) -> None:
    """Suspended ones and those with an end do not count."""
    with household.in_tenant():
        last = Grant.objects.get(role="administrator")
        with pytest.raises(InvalidError, match="last administrator"):
            withdraw(actor=household.shell, grant=last)
        grant(
            actor=household.shell,
            principal=household.member.principal,
            role="administrator",
            target=root(household),
        )
        suspend_principal(actor=household.shell, principal=household.member.principal, reason="on leave")
        with pytest.raises(InvalidError, match="last administrator"):
            withdraw(actor=household.shell, grant=last)


def test_two_administrators_cannot_withdraw_each_other_at_once(household: Household, database: Any) -> None:
    """One of the two stays, whoever is faster."""
    with household.in_tenant():
        grant(
            actor=household.shell,
            principal=household.member.principal,
            role="administrator",
            target=root(household),
        )
        both = list(Grant.objects.filter(role="administrator"))

    def take(given: Grant) -> bool:
        try:
            with database(), household.in_tenant():
                withdraw(actor=household.shell, grant=given)
        except InvalidError:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, both)) == [False, True]


def test_agents_get_and_give_no_roles(household: Household, team: Team) -> None:
    """Policies say what they may do."""
    with household.in_tenant():
        agent = Principal.objects.create(organisation=household.organisation, kind=PrincipalKind.AGENT, name="Worker")
        with pytest.raises(InvalidError, match="agent"):
            grant(actor=household.shell, principal=agent, role="viewer", target=team.target)
        acting_agent = Actor(kind=ActorKind.AGENT, name="w", principal=agent.id, organisation=agent.organisation_id)
        with pytest.raises(InvalidError, match="agent"):
            grant(actor=acting_agent, principal=household.member.principal, role="viewer", target=team.target)


def test_strangers_of_another_organisation(household: Household, team: Team) -> None:
    """Neither as principal nor as target."""
    other = make_household("Other")
    with other.in_tenant():
        foreign = Principal.objects.get(pk=other.member.principal_id)
    with household.in_tenant(), pytest.raises(InvalidError, match="different organisations"):
        grant(actor=household.shell, principal=foreign, role="viewer", target=team.target)


def test_unknown_role(household: Household, team: Team) -> None:
    """Names those that exist."""
    with household.in_tenant(), pytest.raises(InvalidError, match="administrator"):
        grant(actor=household.shell, principal=household.member.principal, role="king", target=team.target)
