"""Whoever signed in before an address was proved to be somebody else's changes nothing by a request under way."""

from typing import Any

import pytest

from foundation.actors import Actor, ActorKind, AuthenticationMethod
from foundation.errors import InvalidError
from foundation.identity.factors import add_app
from foundation.identity.proof import renounce
from foundation.identity.services import change_password
from foundation.instants import database_now
from tests.foundation.identity.household import PASSWORD, Household, make_household


@pytest.fixture
def home(database: Any) -> Household:
    """With a member who was signed in."""
    return make_household()


def of(home: Household) -> Actor:
    """The member, signed in just now."""
    return Actor(kind=ActorKind.PERSON, name="Member", principal=home.member.principal_id, user=home.member.user_id,
                 organisation=home.organisation.id, method=AuthenticationMethod.PASSWORD,
                 authenticated_at=database_now())  # fmt: skip


def test_neither_password_nor_factor_is_set_by_who_was_signed_in_before(home: Household):
    before, user = of(home), home.user(home.member)
    renounce(actor=home.shell, user=user.pk, proved=True)
    with home.in_tenant(), pytest.raises(InvalidError, match="signed out meanwhile"):
        change_password(actor=before, user=user, password=PASSWORD)
    with home.in_tenant(), pytest.raises(InvalidError, match="signed out meanwhile"):
        add_app(actor=before, user=user, secret="JBSWY3DPEHPK3PXP", code="000000")
    assert not home.user(home.member).has_usable_password()


def test_who_signs_in_behind_it_does(home: Household):
    user = home.user(home.member)
    renounce(actor=home.shell, user=user.pk, proved=True)
    with home.in_tenant():
        change_password(actor=of(home), user=user, password=PASSWORD)
    assert home.user(home.member).check_password(PASSWORD)
