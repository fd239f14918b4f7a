"""A worker that is about to end does not let go of a run that is to end: it ends it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connections

from agents.runs.engine import advance
from agents.runs.leases import keeper
from agents.runs.models import Run
from agents.runs.services import cancel_run


def cancel(house: Any, run: Run) -> None:
    cancel_run(actor=house.owner, run=run)


def let_time_pass(_house: Any, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(deadline=datetime.now(UTC))


@pytest.mark.parametrize(("happen", "state"), [(cancel, "cancelled"), (let_time_pass, "expired")])
def test_a_run_that_is_to_end_ends_with_the_call_under_way(
    house: Any, say: Any, monkeypatch: pytest.MonkeyPatch, happen: Callable[[Any, Run], None], state: str
) -> None:
    monkeypatch.setattr(keeper, "is_draining", False)
    house.model.answers = {"worker": [say("Done.")]}
    run, real = house.start(), house.model.answer

    def answer(request: dict[str, Any]) -> Any:
        with house.in_tenant():
            happen(house, run)
        keeper.is_draining = True
        return real(request)

    house.model.answer = answer

    def work() -> None:
        try:
            advance(run.id)
        finally:
            connections.close_all()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(10)
    is_at_work, keeper.is_draining = worker.is_alive(), False
    worker.join(10)
    assert not is_at_work, "it comes to a halt"
    ended = house.read(run)
    assert (ended.state, ended.crashes) == (state, 0), ended.failure
