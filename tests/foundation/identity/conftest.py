"""A household and its browsers, on a site with the least pages."""

from typing import Any

import pytest
from django.test import Client

from tests.foundation.identity.household import Household, browser, make_household


@pytest.fixture
def site(settings: Any) -> None:
    """The pages of `site`."""
    settings.ROOT_URLCONF = "tests.foundation.identity.site"


@pytest.fixture
def household(database: Any, site: None) -> Household:
    """An organisation with an owner and a member."""
    return make_household()


@pytest.fixture
def visitor(site: None) -> Client:
    """A browser in which nobody is signed in."""
    return browser()
