"""A custom role goes although invitations have given it: those that are settled let go of it, an open one holds it."""

from datetime import timedelta
from typing import Any

import pytest

from foundation.access.custom_roles import create_role
from foundation.access.models import Grant, Role
from foundation.access.services import withdraw
from foundation.errors import ConflictError
from foundation.identity.models import Membership
from foundation.ids import uuid7
from foundation.instants import database_now
from foundation.invitations.models import Invitation
from foundation.invitations.roles import remove_role
from foundation.invitations.services import Invited, accept_invitation, invite, withdraw_invitation
from foundation.organisations.models import GrantTarget
from tests.foundation.identity.household import Household, make_household


@pytest.fixture
def home(database: Any) -> Household:
    return make_household()


def invited(home: Household) -> tuple[Role, Invited]:
    """Somebody is asked to join as a helper."""
    organisation = home.organisation
    role = Role.objects.filter(slug="helper").first() or create_role(
        actor=home.shell, slug="helper", name="Helper", permissions=["team.view"]
    )
    made = invite(actor=home.shell, organisation=organisation, email=f"x-{uuid7()}@example.org", role="helper",
                  target=GrantTarget.objects.get(pk=organisation.id))  # fmt: skip
    return role, made


def test_an_open_invitation_holds_it(home: Household) -> None:
    with home.in_tenant():
        role, made = invited(home)
        with pytest.raises(ConflictError, match="An open invitation gives Helper: withdraw it first"):
            remove_role(actor=home.shell, role=role)
        _, _ = invited(home)
        with pytest.raises(ConflictError, match="2 open invitations give Helper: withdraw them first"):
            remove_role(actor=home.shell, role=role)
        made.invitation.refresh_from_db()
        assert made.invitation.custom_role_id == role.id


def test_one_that_is_withdrawn_or_has_expired_lets_go(home: Household) -> None:
    with home.in_tenant():
        role, withdrawn = invited(home)
        withdraw_invitation(actor=home.shell, invitation=withdrawn.invitation)
        _, late = invited(home)
        Invitation.objects.filter(pk=late.invitation.pk).update(expires_at=database_now() - timedelta(days=1))
        remove_role(actor=home.shell, role=role)
    with home.in_tenant():
        assert not Role.objects.filter(pk=role.pk).exists()
        assert set(Invitation.objects.values_list("role", "custom_role")) == {("helper", None)}, "the name stays"
    assert [one.details["role"] for one in home.entries("invitation.create")] == ["helper", "helper"]
    assert home.entries("role.delete")[0].target_name == "Helper"


def test_one_that_was_accepted_lets_go_when_the_grant_has_gone(home: Household) -> None:
    with home.in_tenant():
        role, made = invited(home)
        accept_invitation(actor=home.shell, invitation=made.invitation, name="Ivy")
        with pytest.raises(ConflictError, match="A grant of Helper stands"):
            remove_role(actor=home.shell, role=role)
        person = Membership.objects.get(user__email=made.invitation.email).principal
        withdraw(actor=home.shell, grant=Grant.objects.get(principal=person))
        remove_role(actor=home.shell, role=role)
    with home.in_tenant():
        assert not Role.objects.filter(pk=role.pk).exists()
