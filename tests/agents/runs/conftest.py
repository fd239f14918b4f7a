"""What tests of runs share."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.registry.models import Agent
from agents.registry.services import publish_version, serve_version


@pytest.fixture
def equip() -> Callable[..., None]:
    """`equip(house, *tools, **definition)`: the house's agent serves a version with these tools."""

    def give(house: Any, *tools: str, **definition: Any) -> None:
        given = {"instructions": "worker", "delegates": [], "max_output_tokens": 100, "run_budget": 1_000_000}
        with house.in_tenant():
            agent = Agent.objects.get(pk=house.agent.pk)
            version = publish_version(
                actor=house.owner, agent=agent, language_model=house.language_model, tools=tools,
                **(given | definition),
            )  # fmt: skip
            house.agent = serve_version(actor=house.owner, agent=agent, version=version)

    return give
