"""What the database works out of grants, groups and roles is what they say; guardian reads the same."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from guardian.shortcuts import get_user_perms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.access.groups import create_group
from foundation.access.models import Grant, Holding, permissions_on
from foundation.access.reach import reach_of
from foundation.access.roles import ROLES, Permission
from foundation.access.services import grant, withdraw
from foundation.identity.lookups import see_as_user
from foundation.identity.models import GroupMember
from foundation.organisations.models import Team
from foundation.organisations.services import create_team
from tests.foundation.access.actors import acting, root
from tests.foundation.identity.household import Household, make_household

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["give", "take", "join", "part"]),
        st.sampled_from([0, 1, 2]),  # who: member, first group, second group
        st.sampled_from([0, 1, 2]),  # where: organisation, team, team below it
        st.sampled_from(["viewer", "operator", "auditor"]),
        st.sampled_from([None, 1, -1]),  # hours until it ends
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_holdings_are_what_grants_say(database: Any, changes: list[tuple[str, int, int, str, int | None]]) -> None:
    """After any order of grants and seats, given and taken: the reference is plain Python over the rows."""
    household = make_household()
    organisation, person = household.organisation, household.member.principal
    with household.in_tenant():
        team = create_team(actor=household.shell, organisation=organisation, slug="a", name="A")
        below = create_team(actor=household.shell, organisation=organisation, slug="b", name="B", parent=team)
        targets = [root(household), team.target, below.target]
        holders = [person, *(create_group(actor=household.shell, name=name) for name in ("One", "Two"))]
        for verb, holder, place, role, hours in changes:
            rows = Grant.objects.filter(principal=holders[holder], role=role, target=targets[place])
            seats = GroupMember.objects.filter(group=holders[holder], member=person)
            if verb == "give" and not rows.exists():
                until = datetime.now(UTC) + timedelta(hours=hours) if hours else None
                Grant.objects.create(
                    organisation=organisation, principal=holders[holder], role=role, target=targets[place],
                    expires_at=until,
                )  # fmt: skip
            elif verb == "take":
                rows.delete()
            elif verb == "join" and holder and not seats.exists():
                GroupMember.objects.create(organisation=organisation, group=holders[holder], member=person)
            elif verb == "part":
                seats.delete()
        groups = set(GroupMember.objects.filter(member=person).values_list("group_id", flat=True))
        live = [one for one in Grant.objects.live() if one.principal_id in groups | {person.id}]
        actor = acting(household.member)
        for target in targets:
            held = {p for one in live if one.target_id in target.lineage for p in ROLES[one.role]}
            assert permissions_on(actor, target.id) == held
            for permission in (Permission.RUN_VIEW, Permission.RUN_START, Permission.AUDIT_READ_BODIES):
                reached = {t.id for t in targets if permission in permissions_on(actor, t.id)}
                reach = reach_of(actor, permission)
                assert reach.somewhere == bool(reached)
                assert reach.everywhere == (organisation.id in reached)


def test_guardian_reads_the_same(household: Household, team: Team) -> None:
    """On the target itself: inheritance is ours. What is over is over there too."""
    user = household.user(household.member)
    with household.in_tenant():
        see_as_user(user.pk)
        given = grant(actor=household.shell, principal=household.member.principal, role="viewer", target=team.target)
        own = Holding.objects.filter(principal=household.member.principal).values_list("permission__codename")
        assert set(get_user_perms(user, team.target)) == {one for (one,) in own} == set(ROLES["viewer"])
        Grant.objects.filter(pk=given.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert not set(get_user_perms(user, team.target))


def test_requests_do_not_write_holdings(household: Household, team: Team) -> None:
    """Whoever could write there would need no grant."""
    with household.in_tenant():
        grant(actor=household.shell, principal=household.member.principal, role="viewer", target=team.target)
        with pytest.raises(DatabaseError), transaction.atomic():
            Holding.objects.all().update(expires_at=None)
        with pytest.raises(DatabaseError), transaction.atomic():
            Holding.objects.all().delete()


def test_two_changes_at_once_lose_nothing(household: Household, team: Team, database: Any) -> None:
    """One grant goes while another comes that holds the same: who holds it must not depend on who is first."""
    principal = household.member.principal
    for _ in range(4):
        with household.in_tenant():
            going = grant(actor=household.shell, principal=principal, role="viewer", target=team.target)
        both = threading.Barrier(2)

        def take(one: Grant = going, both: threading.Barrier = both) -> None:
            with database(), household.in_tenant():
                both.wait(10)
                withdraw(actor=household.shell, grant=one)
            connections.close_all()

        def give(both: threading.Barrier = both) -> None:
            with database(), household.in_tenant():
                both.wait(10)
                grant(actor=household.shell, principal=principal, role="operator", target=team.target)
            connections.close_all()

        threads = [threading.Thread(target=one) for one in (take, give)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        with household.in_tenant():
            assert permissions_on(acting(household.member), team.id) == ROLES["operator"]
            withdraw(actor=household.shell, grant=Grant.objects.get(principal=principal, role="operator"))
            assert not permissions_on(acting(household.member), team.id)
