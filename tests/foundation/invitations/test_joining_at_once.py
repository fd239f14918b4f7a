"""Two links for one address that is nobody's: whoever comes second overwrites no password."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from foundation.actors import shell_actor
from foundation.identity.lookups import invite_user, see_as_user
from foundation.identity.models import User
from foundation.identity.services import change_password
from foundation.ids import uuid7
from tests.foundation.identity.household import PASSWORD, Household, away, make_household
from tests.foundation.identity.squatting import ask, path_of
from tests.workers import superuser, until

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"
OTHER = "another long walk by the sea"


@pytest.fixture
def home(database: Any) -> Household:
    """Which invites."""
    return make_household()


def test_a_password_that_is_set_meanwhile_stays(home: Household):
    email = f"left-{uuid7()}@example.org"
    user, link = invite_user(email, "Left"), path_of(ask(home, email).link)

    def join() -> int:
        try:
            return away().post(link, {"name": "Second", "password": OTHER, "again": OTHER}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, superuser() as watcher:
        with transaction.atomic():
            see_as_user(user)
            change_password(actor=shell_actor(), user=User.objects.get(pk=user), password=PASSWORD)
            answer = pool.submit(join)
            until(lambda: watcher.execute(WAITS).fetchone() == (1,), 20, lambda: "it does not wait")
        assert answer.result() == 422
    assert User.objects.using("system").get(pk=user).check_password(PASSWORD)
