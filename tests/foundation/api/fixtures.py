"""Fixtures of the API's tests, for the folders of other apps too."""

from typing import Any

import pytest

from tests.foundation.api.world import Api, World, furnish, make_organisation

__all__ = ["bare", "nobody", "world"]


@pytest.fixture
def world(database: Any) -> World:
    """An organisation with one of everything."""
    return furnish(make_organisation("acme", lazily=True))


@pytest.fixture
def bare(database: Any) -> World:
    """An organisation with people and nothing else."""
    return make_organisation("bare", lazily=True)


@pytest.fixture
def nobody(bare: World) -> Api:
    """The API without a key."""
    return Api()
