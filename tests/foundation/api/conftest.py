"""The world of the API's tests."""

from tests.foundation.api.fixtures import bare, nobody, world

__all__ = ["bare", "nobody", "world"]
