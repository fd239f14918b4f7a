"""Effects happen at most once: workers die around a call, and nobody repeats what may have happened."""

from pathlib import Path
from typing import Any

import pytest

from agents.runs.models import Run, Step
from agents.runs.retries import IDEMPOTENT
from agents.runs.services import resolve_unknown
from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from tests.workers import Worker, running, until

pytestmark = pytest.mark.slow


def live_through(house: Any, tmp_path: Path, run: Run) -> Run:
    """Advance a run by workers that die as they are told, until it ends or waits for a person."""
    worker = Worker(tmp_path, house.model.url.split("/")[2])

    def settled() -> bool:
        if not worker.is_alive:
            worker.start()
        now = house.read(run)
        return house.is_over(run) or now.waits_for == "person"

    with running(worker):
        until(settled, 90, lambda: (house.read(run).state, worker.log.read_text()))
    return house.read(run)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_reads_and_idempotent_calls_are_repeated_with_the_same_key(
    house: Any, say: Any, call: Any, tmp_path: Path, moment: str
) -> None:
    turns = [call(f"witness.{kind}", note=f"die {moment}") for kind in ("read", "idempotent")]
    house.model.answers = {"worker": [*turns, say("Done.")]}
    run = live_through(house, tmp_path, house.start())
    assert run.state == "succeeded", run.failure
    step = house.steps(run)[1]
    assert (step.state, step.attempt) == ("succeeded", 2)
    keys = {key for kind, key, _ in house.lines() if kind == "read"}
    assert keys == {step.idempotency_key}
    assert len([1 for kind, *_ in house.lines() if kind == "read"]) == (2 if moment == "after" else 1)
    assert house.events(run).count("step.repeated") == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_effect_without_an_outcome_waits_for_a_person(
    house: Any, say: Any, call: Any, tmp_path: Path, moment: str
) -> None:
    house.model.answers = {"worker": [call("witness.effect", note=f"die {moment}"), say("Done.")]}
    run = live_through(house, tmp_path, house.start())
    assert (run.state, run.waits_for) == ("waiting", "person")
    step = house.steps(run)[1]
    assert (step.state, step.attempt) == ("unknown", 1)
    happened = 1 if moment == "after" else 0
    assert len(house.lines()) == happened
    assert len(house.model.asked) == 1
    _only_people_resolve(house, run)
    outcome = "done" if happened else "retry"
    _resolve(house, run, outcome)
    run = house.run(run)
    assert run.state == "succeeded", run.failure
    assert len(house.lines()) == 1, "once, whatever happened"


def _resolve(house: Any, run: Run, outcome: str, actor: Actor | None = None) -> None:
    with house.in_tenant():
        resolve_unknown(actor=actor or house.owner, run=run, number=2, outcome=outcome, evidence="The ledger says so.")


def _only_people_resolve(house: Any, run: Run) -> None:
    agent = Actor(kind=ActorKind.AGENT, name="w", principal=house.agent.id, organisation=house.organisation.id)
    with pytest.raises(InvalidError):
        _resolve(house, run, "done", agent)


def unknown(house: Any, say: Any, call: Any) -> Run:
    """A run whose connection broke in the midst of an effect."""
    house.model.answers = {"worker": [call("witness.effect", note="break"), say("Done.")]}
    run = house.run(house.start())
    assert (run.state, run.waits_for) == ("waiting", "person")
    assert house.steps(run)[1].state == "unknown"
    assert len(house.lines()) == 1
    return run


@pytest.mark.parametrize(("outcome", "state"), [("done", "succeeded"), ("failed", "failed")])
def test_a_person_says_what_happened(house: Any, say: Any, call: Any, outcome: str, state: str) -> None:
    run = unknown(house, say, call)
    _resolve(house, run, outcome)
    with pytest.raises(ConflictError):
        _resolve(house, run, outcome)
    assert house.run(run).state == "succeeded"
    step = house.steps(run)[1]
    assert step.state == state
    assert len(house.lines()) == 1
    assert "The ledger says so." in house.model.asked[-1]["input"][-1]["output"]
    with pytest.raises(ConflictError):
        _resolve(house, run, outcome)


def test_a_retry_is_one_more_attempt_and_no_more(house: Any, say: Any, call: Any) -> None:
    run = unknown(house, say, call)
    _resolve(house, run, "retry")
    run = house.run(run)
    assert (run.state, run.waits_for) == ("waiting", "person"), "it broke once more"
    assert house.steps(run)[1].attempt == 2
    assert len(house.lines()) == 2
    assert len({key for _, key, _ in house.lines()}) == 1


def test_a_read_that_breaks_is_tried_again_and_then_told(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.read", note="break"), say("Could not read.")]}
    run = house.start()
    for _ in range(4):
        run = house.run(run)
        assert run.waits_for in {"timer", ""}
        with house.in_tenant():
            Run.objects.filter(pk=run.pk, state="waiting").update(wake_at="2020-01-01T00:00Z")
    assert house.read(run).state == "succeeded"
    assert house.steps(run)[1].state == "failed"
    assert len(house.lines()) == 4


def test_an_idempotent_call_that_never_answers_waits_for_a_person_in_the_end(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.idempotent", note="break"), say("Done.")]}
    run = house.start()
    for _ in range(IDEMPOTENT.tries):
        run = house.run(run)
        with house.in_tenant():
            Run.objects.filter(pk=run.pk, waits_for="timer").update(wake_at="2020-01-01T00:00Z")
    assert house.read(run).waits_for == "person"
    assert len({key for _, key, _ in house.lines()}) == 1


def test_a_cancelled_run_leaves_the_doubt_in_its_journal(house: Any, say: Any, call: Any) -> None:
    run = unknown(house, say, call)
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", waits_for="", waits_on=None, cancel_requested=True)
    assert house.run(run).state == "cancelled"
    assert house.steps(run)[1].state == Step(state="unknown").state
    assert len(house.lines()) == 1
