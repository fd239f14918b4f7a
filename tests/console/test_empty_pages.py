"""A new organisation's pages say what they are for, and how the first thing gets there."""

import pytest
from django.test import Client

from tests.foundation.api.fixtures import bare
from tests.foundation.api.world import World

__all__ = ["bare"]

TAUGHT = {
    "/runs/": ("No runs yet", "/runs/new"),
    "/sessions/": ("No sessions yet", "/sessions/new"),
    "/schedules/": ("No schedules yet", "/schedules/new"),
    "/triggers/": ("No triggers yet", "/triggers/new"),
    "/workers/": ("No run waits", ""),
    "/approvals/": ("Nothing waits for you", ""),
    "/runs/new": ("No agent to start", "/agents/"),
    "/sessions/new": ("No agent to open one with", "/agents/"),
    "/schedules/new": ("No agent to start", "/agents/"),
    "/triggers/new": ("No agent to call", "/agents/"),
    "/sessions/?q=x": ("No session matches", "/sessions/"),
    "/schedules/?state=disabled": ("No schedule matches", "/schedules/"),
    "/triggers/?q=x": ("No trigger matches", "/triggers/"),
}


@pytest.mark.parametrize("path", TAUGHT)
def test_nothing_is_told_as_nothing(bare: World, path: str):
    answer = Client().get(path, headers={"Authorization": f"Bearer {bare.keys['administrator']}"})
    said, way = TAUGHT[path]
    page = answer.content.decode()
    assert said in page
    assert f'href="{way}"' in page or not way
