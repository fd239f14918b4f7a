"""Two who submit the same at the same moment get one run, and nothing else is left of the second."""

import threading
from typing import Any

from django.db import connections

from agents.runs.models import Run, Session
from agents.runs.services import start_run
from tests.workers import superuser, until

_WAITS = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO \"runs_run\"%'"


def test_of_two_at_once_one_begins_a_session(house: Any) -> None:
    begun: list[Run] = []

    def submit() -> None:
        with house.in_tenant():
            begun.append(start_run(actor=house.owner, agent=house.agent, title="x", input="x", submission="once"))

    def late() -> None:
        try:
            submit()
        finally:
            connections.close_all()

    second = threading.Thread(target=late, daemon=True)
    with house.in_tenant():
        submit()
        second.start()
        with superuser() as database:
            until(lambda: database.execute(_WAITS).fetchone() is not None, 20, lambda: "the second does not wait")
    second.join(20)
    first, same = begun
    assert first.id == same.id
    with house.in_tenant():
        assert list(Session.objects.values_list("id", flat=True)) == [first.session_id]
