"""The world of the API's tests."""

from tests.foundation.access.conftest import household, owner, team
from tests.foundation.api.fixtures import bare, nobody, world

__all__ = ["bare", "household", "nobody", "owner", "team", "world"]
