"""Custom roles: named permissions, which nobody makes of what they lack."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from foundation.access.custom_roles import change_role, create_role, delete_role
from foundation.access.models import Grant, permissions_on
from foundation.access.roles import ROLES, Permission
from foundation.access.services import grant, withdraw
from foundation.actors import AuthenticationMethod
from foundation.errors import ConflictError, InvalidError
from foundation.identity.step_up import FRESH, StaleSignInError
from foundation.organisations.models import Team
from tests.foundation.access.actors import acting, root
from tests.foundation.identity.household import Household


def test_custom_role_holds_what_it_names(household: Household, team: Team) -> None:
    """And what it is changed to, at once, for everybody who has it."""
    owner, member = acting(household.owner), acting(household.member)
    with household.in_tenant():
        role = create_role(actor=owner, slug="starter", name="Starter", permissions=["run.start", "run.view"])
        given = grant(actor=owner, principal=household.member.principal, role="starter", target=team.target)
        assert permissions_on(member, team.id) == {"run.start", "run.view"}
        assert Grant.objects.live().of(member).holding("run.start").exists()
        change_role(actor=owner, role=role, permissions=["run.view", "agent.view"])
        assert permissions_on(member, team.id) == {"agent.view", "run.view"}
        with pytest.raises(ConflictError, match="A grant of Starter stands: withdraw it first"):
            delete_role(actor=owner, role=role)
        withdraw(actor=owner, grant=given)
        delete_role(actor=owner, role=role)
        assert not permissions_on(member, team.id)
    change = household.entries("role.change")[0]
    assert (change.details["added"], change.details["removed"]) == (["agent.view"], ["run.start"])


def test_nobody_makes_a_role_of_what_they_lack(household: Household) -> None:
    """Nor takes away from one what they lack; not even an administrator reads bodies by a role of their own."""
    owner, member = acting(household.owner), acting(household.member)
    with household.in_tenant():
        with pytest.raises(InvalidError, match=r"lack audit\.read_bodies"):
            create_role(actor=owner, slug="reader", name="Reader", permissions=["audit.read_bodies"])
        with pytest.raises(InvalidError, match=r"lack run\.view"):
            create_role(actor=member, slug="reader", name="Reader", permissions=["run.view"])
        role = create_role(actor=owner, slug="reader", name="Reader", permissions=["run.view"])
        with pytest.raises(InvalidError, match=r"lack agent\.view"):
            change_role(actor=member, role=role, permissions=["agent.view"])


@pytest.mark.parametrize(
    ("slug", "permissions", "says"),
    [
        ("viewer", ["run.view"], "built-in"),
        ("Näme", ["run.view"], "short name"),
        ("empty", [], "at least one"),
        ("king", ["everything"], "no permission 'everything'"),
    ],
)
def test_what_is_no_role(household: Household, slug: str, permissions: list[str], says: str) -> None:
    """One clear line for each."""
    with household.in_tenant(), pytest.raises(InvalidError, match=says):
        create_role(actor=acting(household.owner), slug=slug, name="X", permissions=permissions)


def test_administrator_names_the_auditors_but_is_none(household: Household) -> None:
    """Nobody names themselves."""
    owner = acting(household.owner)
    with household.in_tenant():
        assert "audit.read_bodies" not in permissions_on(owner, household.organisation.id)
        with pytest.raises(InvalidError, match=r"audit\.read_bodies"):
            grant(actor=owner, principal=household.owner.principal, role="auditor", target=root(household))
        given = grant(actor=owner, principal=household.member.principal, role="auditor", target=root(household))
        assert "audit.read_bodies" in permissions_on(acting(household.member), household.organisation.id)
        withdraw(actor=owner, grant=given)


def test_the_database_knows_the_built_in_roles(database: Any) -> None:
    """As the code does: a release that changes them brings a migration with KnowRoles."""
    with connection.cursor() as cursor:
        for role, held in ROLES.items():
            cursor.execute("SELECT remit_role_permissions(%s)", [role])
            assert set(cursor.fetchone()[0]) == {one.value for one in held}, role
        for permission in Permission:
            cursor.execute("SELECT remit_permission_id(%s)", [permission.value])
            assert cursor.fetchone()[0] is not None, permission


def test_making_a_role_give_roles_wants_a_recent_sign_in(household: Household) -> None:
    """Everybody who holds it gives roles from then on, or no longer."""
    owner = acting(household.owner)
    stale = replace(owner, method=AuthenticationMethod.PASSWORD, authenticated_at=datetime.now(UTC) - 2 * FRESH)
    with household.in_tenant():
        role = create_role(actor=stale, slug="lead", name="Lead", permissions=["run.view"])
        change_role(actor=stale, role=role, permissions=["agent.view", "run.view"])
        with pytest.raises(StaleSignInError):
            change_role(actor=stale, role=role, permissions=["grant.manage", "run.view"])
        change_role(actor=owner, role=role, permissions=["grant.manage", "run.view"])
        with pytest.raises(StaleSignInError):
            change_role(actor=stale, role=role, permissions=["run.view"])
