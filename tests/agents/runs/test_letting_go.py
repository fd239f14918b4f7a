"""A run that cannot be let go of because the database is away is let go of as soon as that is back."""

import signal
import threading
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from agents.runs import engine
from agents.runs.engine import give_up, work_on
from agents.runs.leases import keeper
from agents.runs.models import Run
from agents.runs.taking import take
from tests.clusters import own_cluster, ring_anew
from tests.workers import until

pytestmark = pytest.mark.slow

LEASE = 600  # seconds; longer than the test may take
PAST = "2020-01-01T00:00Z"


def test_a_run_that_is_given_up_without_a_database_holds_up_no_others(
    monkeypatch: pytest.MonkeyPatch, make_house: Any
) -> None:
    tried = threading.Event()

    def try_to_give_up(*given: Any) -> Any:
        try:
            return give_up(*given)
        finally:
            tried.set()

    monkeypatch.setattr(engine, "give_up", try_to_give_up)
    with own_cluster(monkeypatch) as cluster:
        house = make_house()
        poisonous = house.start("poison")
        with house.in_tenant():
            Run.objects.filter(pk=poisonous.pk).update(
                state="running", lease_until=PAST, crashes=settings.RUN_MAX_CRASHES
            )
        (taken,) = take(keeper.worker, LEASE, more=1)
        assert cluster.process is not None
        cluster.process.send_signal(signal.SIGQUIT)
        cluster.process.wait()
        worker = threading.Thread(target=lambda: (work_on(taken), connections.close_all()))
        worker.start()
        try:
            assert tried.wait(60)
        finally:
            cluster.start()
            connections.close_all()
            ring_anew()
        worker.join(60)
        assert not worker.is_alive()
        until(lambda: house.is_over(poisonous), 10, lambda: house.read(poisonous).state)
        assert house.read(poisonous).state == "failed"
        other = house.start("other")
        assert [one.run.id for one in take(keeper.worker, LEASE, more=1)] == [other.id]
        keeper.stop()
