"""A database with the sample organisation, shared by the tests of the commands."""

import pytest

from tests.config.own_database import OwnDatabase, make_database


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> OwnDatabase:
    """Seeded by the command itself."""
    own = make_database(tmp_path_factory.mktemp("seeded"))
    made = own.manage("seed_sample")
    assert made.returncode == 0, made.stderr
    return own
