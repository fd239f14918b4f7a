"""The pages' fixtures for this folder."""

from tests.console.pages import visit, world

__all__ = ["visit", "world"]
