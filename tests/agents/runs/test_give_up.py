"""When the engine gives a run up, and how: steps are closed, told and recorded, and what was held is booked."""

from typing import Any

import pytest
from django.conf import settings as django_settings

from agents.runs import calling
from agents.runs.models import Run, RunState, StepState
from agents.runs.services import cancel_run
from agents.tools.models import Tool
from foundation.audit.models import AuditEntry
from governance.budgets.models import Budget, LedgerEntry

PRICE = 500


@pytest.fixture
def _at_once(settings: Any) -> None:
    settings.RUN_MAX_CRASHES = 0


def given_up(house: Any) -> Run:
    run = house.run(house.start())
    assert run.state == RunState.FAILED
    assert "engine failed" in run.failure
    return run


def recorded(house: Any, run: Run) -> list[tuple[str, int | None]]:
    with house.in_tenant():
        rows = AuditEntry.objects.filter(run_id=run.id).exclude(action__startswith="decision.").order_by("id")
        return list(rows.values_list("action", "step"))


def is_paid(house: Any, run: Run) -> bool:
    """Whether run, steps and ledger say the same, and nothing is held any more."""
    with house.in_tenant():
        rows = LedgerEntry.objects.filter(run_id=run.id, kind__in=["settle", "overrun"])
        ledger = sum(rows.values_list("amount", flat=True))
        held = Budget.objects.exclude(reserved=0).exists()
    return run.cost == ledger == sum(step.cost for step in house.steps(run)) > 0 and not held


@pytest.mark.usefixtures("_at_once")
def test_a_model_call_is_booked_at_what_was_held(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling.calls, "call_model", None)
    run = given_up(house)
    assert house.steps(run)[0].state == StepState.FAILED
    assert is_paid(house, run)
    assert house.events(run)[-2:] == ["step.failed", "run.failed"]
    assert recorded(house, run)[-2:] == [("model_call.failed", 1), ("run.failed", None)]


@pytest.mark.usefixtures("_at_once")
def test_an_effect_in_doubt_is_told_and_recorded(
    house: Any, say: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.in_tenant():
        Tool.objects.filter(name="witness.effect").update(price=PRICE)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    monkeypatch.setattr(calling.calls, "call_tool", None)
    run = given_up(house)
    step = house.steps(run)[1]
    assert (step.state, step.cost) == (StepState.UNKNOWN, PRICE)
    assert is_paid(house, run)
    assert house.events(run)[-2:] == ["step.unknown", "run.failed"]
    assert recorded(house, run)[-2:] == [("tool_call.unknown", 2), ("run.failed", None)]


@pytest.mark.usefixtures("_at_once")
def test_a_step_that_held_nothing_is_closed_as_well(
    house: Any, say: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.model.answers = {"worker": [call("witness.read", note="x"), say("Done.")]}
    monkeypatch.setattr(calling.calls, "call_tool", None)
    run = given_up(house)
    assert (house.steps(run)[1].state, house.steps(run)[1].cost) == (StepState.FAILED, 0)
    assert is_paid(house, run), "the model's answer"


@pytest.mark.parametrize("gets_further", [True, False])
def test_crashes_count_since_it_last_got_further(
    house: Any, say: Any, call: Any, monkeypatch: pytest.MonkeyPatch, *, gets_further: bool
) -> None:
    """Of a run that crashed as often as it may, under the same lease as it was taken with."""
    house.model.answers = {"worker": [call("witness.read", note="x"), say("Done.")]}
    run = house.start()
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(crashes=django_settings.RUN_MAX_CRASHES)
    monkeypatch.setattr(calling.calls, "call_tool" if gets_further else "call_model", None)
    run = house.run(run)
    if gets_further:
        assert (run.state, run.waits_for, run.crashes) == (RunState.WAITING, "timer", 1), run.failure
    else:
        assert (run.state, len(house.steps(run))) == (RunState.FAILED, 1)


def cancelled(house: Any, run: Run) -> None:
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)


@pytest.mark.usefixtures("_at_once")
def test_one_that_is_cancelled_during_its_last_fault_ends_as_cancelled(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = house.start()

    def cancel_and_fail(*_: Any) -> None:
        cancelled(house, run)
        raise RuntimeError

    monkeypatch.setattr(calling.calls, "call_model", cancel_and_fail)
    run = house.run(run)
    assert run.state == RunState.CANCELLED
    assert run.failure.startswith("Somebody cancelled the run; the record says who. The engine failed"), run.failure
    assert is_paid(house, run)
    assert house.events(run)[-1] == "run.cancelled"
    assert recorded(house, run)[-1] == ("run.cancelled", None)


def test_one_that_was_cancelled_before_its_worker_died_once_too_often_ends_as_cancelled(house: Any) -> None:
    run = house.start()
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(
            state="running", lease_until="2020-01-01T00:00Z", crashes=django_settings.RUN_MAX_CRASHES
        )
    cancelled(house, run)
    run = house.run(run)
    assert run.state == RunState.CANCELLED
    assert run.failure.startswith("Somebody cancelled the run; the record says who. The worker died"), run.failure
    assert house.events(run)[-1] == "run.cancelled"
