"""The page of workers: who lives, who fell silent, and who only ended when it was asked to."""

import pytest
from django.db import connections

from tests.console.pages import Visit, visit, world

__all__ = ["visit", "world"]  # fixtures


@pytest.mark.parametrize(("draining", "word"), [(True, "Ended"), (False, "Silent")])
def test_a_worker_that_ended_in_order_is_no_alarm(visit: Visit, draining: bool, word: str):
    with connections["engine"].cursor() as cursor:
        cursor.execute("DELETE FROM runs_heartbeat")
        cursor.execute(
            "INSERT INTO runs_heartbeat (name, kind, seen_at, started_at, slots, busy, draining, release) VALUES "
            "('host:1:gone', 'worker', clock_timestamp() - interval '5 minutes', clock_timestamp(), 8, 0, %s, '1'), "
            "('host:2:here', 'worker', clock_timestamp(), clock_timestamp(), 8, 0, false, '1')",
            [draining],
        )
    page = visit("/workers/").content.decode()
    assert f"{word}</span>" in page
    assert page.index("host:2:here") < page.index("host:1:gone")
    assert "0 of 8" in page
