"""The upgrade tells who was made by a link that was shown, and lets everybody go on where they accepted to."""

from importlib import import_module
from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import Now

from config.recovery import sign_in_link_for
from foundation.identity.models import Membership, User
from foundation.identity.services import add_person
from foundation.ids import uuid7
from foundation.invitations.models import Invitation
from tests.foundation.identity.household import Household, away, make_household
from tests.foundation.identity.squatting import ask, join, path_of

upgrade = import_module("foundation.invitations.migrations.0002_proved")


@pytest.fixture
def home(database: Any) -> Household:
    """Which invites."""
    return make_household()


def as_before(email: str) -> None:
    """The rows as the former release has left them."""
    User.objects.using("system").filter(email=email).update(proved=True)
    Membership.objects.using("system").filter(user__email=email).update(accepted=False)


def carry_out() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(upgrade.UNPROVED)
        cursor.execute(upgrade.ACCEPTED)


def test_whoever_joined_by_a_shown_link_is_not_proved_and_goes_on_there(home: Household):
    email, other = f"shown-{uuid7()}@example.org", make_household("Elsewhere")
    join(ask(home, email).link)
    with other.in_tenant():
        add_person(actor=other.shell, organisation=other.organisation, email=email, name="Seated")
    as_before(email)
    carry_out()
    assert not User.objects.using("system").get(email=email).proved
    seats = Membership.objects.using("system").filter(user__email=email).values_list("organisation_id", "accepted")
    assert dict(seats) == {home.organisation.id: True, other.organisation.id: False}


@pytest.mark.parametrize("by", ["a mail", "the shell", "another way"])
def test_whoever_was_known_or_has_opened_a_link_that_proves_it_stays_proved(home: Household, by: str):
    email = f"proved-{uuid7()}@example.org"
    join(ask(home, email).link)
    user = User.objects.using("system").get(email=email)
    as_before(email)
    if by == "a mail":
        Invitation.objects.using("system").filter(email=email).update(sent_at=Now())
    elif by == "the shell":
        assert away().post(path_of(sign_in_link_for(email))).status_code == 303
    else:
        User.objects.using("system").filter(pk=user.pk).update(created_at="2026-01-01T00:00Z")
    carry_out()
    assert User.objects.using("system").get(pk=user.pk).proved
