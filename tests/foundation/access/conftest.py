"""The household of identity's tests, with a team, on the same site."""

from typing import Any

import pytest
from django.test import Client

from foundation.organisations.models import Team
from foundation.organisations.services import create_team
from tests.foundation.identity.household import Household, browser, make_household


@pytest.fixture
def household(database: Any, settings: Any) -> Household:
    """An organisation with an owner and a member."""
    settings.ROOT_URLCONF = "tests.foundation.identity.site"
    return make_household()


@pytest.fixture
def team(household: Household) -> Team:
    """Its team."""
    with household.in_tenant():
        return create_team(actor=household.shell, organisation=household.organisation, slug="desk", name="Desk")


@pytest.fixture
def owner(household: Household) -> Client:
    """The owner's browser."""
    client = browser(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(household.link(household.owner))
    return client


@pytest.fixture
def member(household: Household) -> Client:
    """The member's browser: without any role."""
    client = browser(enforce_csrf_checks=True, raise_request_exception=False)
    client.get(household.link(household.member))
    return client
