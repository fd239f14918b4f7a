"""The console's pages as people of a furnished organisation see them, for the tests of every app's pages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.foundation.api.world import World, furnish, make_organisation

__all__ = ["Visit", "visit", "world"]

Visit = Callable[..., Any]


@pytest.fixture
def world(database: Any) -> World:
    """An organisation with one of everything."""
    return furnish(make_organisation("console"))


@pytest.fixture
def visit(world: World) -> Visit:
    """Ask for a page as somebody: `visit("/runs/", "viewer")`; a form is sent with `form=`."""

    def ask(path: str, role: str = "administrator", *, form: dict[str, Any] | None = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {world.keys[role]}"} | headers
        client = Client()
        return client.get(path, headers=sent) if form is None else client.post(path, form, headers=sent)

    return ask
