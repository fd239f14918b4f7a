"""Two organisations with a person and an agent each."""

from typing import Any

import pytest

from tests.agents.workshop import Workshop, make_workshop


@pytest.fixture
def workshop(database: Any) -> Workshop:
    """An organisation in which agents are built."""
    return make_workshop()
