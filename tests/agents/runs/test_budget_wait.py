"""A run whose version says so waits for money of a budget above its own, and is woken by whoever gives more."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from agents.runs.claims import due
from agents.runs.engine import advance
from agents.runs.limits import next_month
from agents.runs.models import Run, RunState
from foundation.organisations.models import GrantTarget
from governance.budgets.models import Budget
from governance.budgets.services import set_budget
from governance.policies.models import PolicyDecision
from tests.workers import until

LITTLE = 10  # micro-units: not enough for a call of the model
ENOUGH = 100_000


@pytest.fixture
def poor(make_house: Any, say: Any, call: Any, equip: Any) -> Any:
    """A house whose organisation pays for nothing, and whose agent may wait."""
    house = make_house(budget=LITTLE)
    equip(house, "witness.effect", on_exhausted="wait")
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    return house


def give(house: Any, limit: int, scope: str = "organisation") -> None:
    """A person raises the budget."""
    with house.in_tenant():
        target = GrantTarget.objects.get(pk=house.organisation.id if scope == "organisation" else house.agent.id)
        set_budget(actor=house.owner, scope=scope, scope_id=target.id, target=target, limit=limit, currency="EUR")


def test_it_waits_and_more_money_wakes_it(poor: Any) -> None:
    run = poor.run(poor.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, "budget"), run.failure
    assert run.waits_on in {poor.organisation.id, poor.agent.id}
    assert run.wake_at == min(run.deadline, next_month(datetime.now(UTC)))
    assert (poor.steps(run), poor.model.asked) == ([], []), "nothing was begun"
    give(poor, ENOUGH)
    give(poor, ENOUGH, "agent")
    assert poor.read(run).state == RunState.QUEUED
    run = poor.run(run)
    assert (run.state, run.output) == (RunState.SUCCEEDED, {"text": "Done."}), run.failure
    assert len(poor.lines()) == 1
    with poor.in_tenant():
        assert PolicyDecision.objects.filter(run_id=run.id, effect="deny").count() == 1, "the refusal is on record"


def test_too_little_more_and_it_waits_on(poor: Any) -> None:
    run = poor.run(poor.start())
    give(poor, LITTLE + 1)
    give(poor, LITTLE + 1, "agent")
    run = poor.run(run)
    assert (run.state, run.waits_for) == (RunState.WAITING, "budget")


def test_without_the_word_it_stops(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(budget=LITTLE)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "budget of the" in run.failure


def test_for_its_own_budget_nobody_waits(make_house: Any, say: Any, call: Any, equip: Any) -> None:
    house = make_house()
    equip(house, "witness.effect", on_exhausted="wait", run_budget=LITTLE)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "budget of the run" in run.failure


def test_the_time_limit_ends_the_wait(poor: Any) -> None:
    run, gone = poor.run(poor.start()), datetime.now(UTC) - timedelta(seconds=1)
    with poor.in_tenant():
        Run.objects.filter(pk=run.pk).update(wake_at=gone, deadline=gone)
    assert poor.run(run).state == RunState.EXPIRED


def test_money_that_calls_in_flight_hold_is_looked_for_again(
    make_house: Any, say: Any, call: Any, equip: Any, database: Any
) -> None:
    house = make_house(budget=500)
    equip(house, on_exhausted="wait")
    house.model.answers = {"worker": [say("Done.")]}
    first, second = house.start("first"), house.start("second")
    house.model.answering.clear()

    def work() -> None:
        with database():
            advance(first.id)
        connections.close_all()

    busy = threading.Thread(target=work)
    busy.start()
    until(lambda: house.model.asked, 20, lambda: house.read(first).state)
    advance(second.id)
    waits = house.read(second)
    assert (waits.state, waits.waits_for) == (RunState.WAITING, "budget")
    assert timedelta(0) < waits.wake_at - datetime.now(UTC) <= timedelta(seconds=10)
    for waited, soonest, latest in ((100, 45, 65), (10_000, 295, 380)):
        moment = datetime.now(UTC)
        with house.in_tenant():
            Run.objects.filter(pk=second.pk).update(wake_at=moment, started_at=moment - timedelta(seconds=waited))
        advance(second.id)
        again = (house.read(second).wake_at - datetime.now(UTC)).total_seconds()
        assert soonest < again < latest, "whoever has waited for long looks less often"
    house.model.answering.set()
    busy.join()
    assert house.read(first).state == RunState.SUCCEEDED
    with house.in_tenant():
        Run.objects.filter(pk=second.pk).update(wake_at=datetime.now(UTC))
    assert second.id in due(0, 100), "the tick rings when its time has come"
    assert house.run(second).state == RunState.SUCCEEDED


def test_a_budget_that_was_exceeded_is_waited_for_and_not_looked_at_every_few_seconds(
    make_house: Any, say: Any, equip: Any
) -> None:
    house = make_house(budget=ENOUGH)
    equip(house, on_exhausted="wait")
    house.model.answers = {"worker": [say("Done.")]}
    with house.in_tenant():
        Budget.objects.filter(scope="agent", scope_id=house.agent.id).update(overrun=5)
    run = house.run(house.start())
    assert (run.state, run.waits_for, run.waits_on) == (RunState.WAITING, "budget", house.agent.id), run.failure
    assert run.wake_at == min(run.deadline, next_month(datetime.now(UTC)))
    give(house, ENOUGH, "agent")
    assert house.run(run).state == RunState.SUCCEEDED


def test_money_that_comes_while_it_begins_to_wait_is_not_missed(poor: Any) -> None:
    for attempt in range(6):
        give(poor, LITTLE * (attempt + 1))
        give(poor, ENOUGH, "agent")
        run = poor.start(f"run {attempt}")
        together = threading.Barrier(2)

        def work(run: Run = run, together: threading.Barrier = together) -> None:
            try:
                together.wait()
                advance(run.id)
            finally:
                connections.close_all()

        thread = threading.Thread(target=work)
        thread.start()
        together.wait()
        give(poor, ENOUGH)
        thread.join()
        run = poor.run(run)
        assert run.state == RunState.SUCCEEDED, (attempt, run.state, run.waits_for, run.failure)


@pytest.mark.parametrize(
    ("now", "then"),
    [("2026-11-23T15:00:00+00:00", "2026-12-01"), ("2026-12-31T23:59:59+00:00", "2027-01-01"),
     ("2027-01-01T00:30:00+01:00", "2027-01-01")],
)  # fmt: skip
def test_the_next_month_begins_in_utc(now: str, then: str) -> None:
    assert next_month(datetime.fromisoformat(now)) == datetime.fromisoformat(then).replace(tzinfo=UTC)
