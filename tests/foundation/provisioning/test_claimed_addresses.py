"""Somebody has taken an address before a directory seats its owner: it opens nothing to them."""

from typing import Any

import pytest

from foundation.ids import uuid7
from tests.foundation.api.world import make_organisation
from tests.foundation.identity.household import away
from tests.foundation.identity.squatting import acts_in, squat
from tests.foundation.provisioning.test_scim import Directory


@pytest.fixture
def directory(database: Any) -> Directory:
    """Of a new organisation."""
    return Directory(make_organisation("acme"))


def test_a_directory_opens_nothing_to_whoever_has_taken_the_address(directory: Directory):
    squatter = squat(f"victim-{uuid7()}@b.example")
    directory.person("victim", emails=[{"value": squatter.email, "primary": True}])
    assert not squatter.enters(directory.world.organisation.id)
    assert squatter.enters(squatter.home.organisation.id)


def test_one_link_of_the_shell_opens_it_to_whoever_gets_that(directory: Directory):
    squatter = squat(f"victim-{uuid7()}@b.example")
    directory.person("victim", emails=[{"value": squatter.email, "primary": True}])
    victim = away()
    assert victim.post(squatter.shell_link()).status_code == 303
    assert acts_in(victim, directory.world.organisation.id)
    assert not squatter.enters(directory.world.organisation.id)
    assert not squatter.enters(squatter.home.organisation.id)
