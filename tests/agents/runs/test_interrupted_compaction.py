"""A run that ends while its session is summed up leaves no summary and no word of one; and pays for the answer once."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.runs import compaction
from agents.runs.control import fork_run, pause_run, resume_run, retry_run
from agents.runs.models import Run, RunState, StepState, Summary
from agents.runs.services import cancel_run
from agents.runs.window import is_compaction
from tests.agents.runs.test_context import LONG, Talker, serve, start, talk
from tests.workers import superuser


@pytest.fixture(autouse=True)
def _bytes_are_tokens(monkeypatch: Any) -> None:
    # The scripted endpoint always reports 100 tokens: taken at its word, everything would seem to fit.
    monkeypatch.setattr("agents.runs.context.scale_of", lambda *_: 1.0)
    monkeypatch.setattr("agents.runs.past.scale_of", lambda *_: 1.0)


def interrupted(house: Any, act: Callable[[Run], Any]) -> Run:
    """A run to which something is done while its model sums up."""
    serve(house, "compact")
    session, _ = talk(house, 2)
    run, real = start(house, session, f"Question 2. {LONG}"), house.model.answer

    def answer(request: Any) -> Any:
        if request["instructions"] == compaction.INSTRUCTIONS:
            house.model.answer = real
            with house.in_tenant():
                act(Run.objects.get(pk=run.pk))
        return real(request)

    house.model.answer = answer
    return house.run(run)


def summaries(house: Any, run: Run) -> list[Summary]:
    with house.in_tenant():
        return list(Summary.objects.filter(session_id=run.session_id))


def booked(run: Run) -> int:
    """What the ledger has for a run."""
    with superuser() as database:
        found = database.execute(
            "SELECT coalesce(sum(amount), 0) FROM budgets_ledgerentry WHERE run_id = %s "
            "AND kind IN ('settle', 'overrun')", [run.id],
        ).fetchone()  # fmt: skip
    return int(found[0])


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_a_run_that_ends_meanwhile_can_be_retried(house: Any, say: Any, end: str) -> None:
    Talker(house, say)

    def act(run: Run) -> None:
        if end == "cancelled":
            cancel_run(actor=house.owner, run=run)
        else:
            Run.objects.filter(pk=run.pk).update(deadline=datetime.now(UTC))

    run = interrupted(house, act)
    (step,) = house.steps(run)
    assert (run.state, step.state, step.output) == (end, StepState.FAILED, None)
    assert summaries(house, run) == []
    assert "context.compacted" not in house.events(run)
    assert (run.cost, step.cost, booked(run)) == (110, 110, 110), "what the model answered is paid, once"
    assert step.usage == {"input_tokens": 100, "output_tokens": 10}
    with house.in_tenant():
        made = retry_run(actor=house.owner, run=run, step=2)
    made = house.run(made)
    assert (made.state, made.crashes) == (RunState.SUCCEEDED, 0), made.failure
    journal = [(is_compaction(one), one.state) for one in house.steps(made)]
    assert journal == [(True, "failed"), (True, "succeeded"), (False, "succeeded")], "it is summed up anew"
    assert (made.cost, booked(made)) == (220, 220)


def test_a_run_that_is_paused_meanwhile_keeps_its_summary(house: Any, say: Any) -> None:
    talker = Talker(house, say)
    run = interrupted(house, lambda run: pause_run(actor=house.owner, run=run))
    assert (run.state, run.waits_for, run.cost) == (RunState.WAITING, "pause", 110)
    assert [str(one.id) for one in summaries(house, run)] == [house.steps(run)[0].output["summary"]]
    with house.in_tenant():
        resume_run(actor=house.owner, run=run)
    assert house.run(run).state == RunState.SUCCEEDED
    assert len(talker.summed_up) == 1


def test_a_journal_that_names_a_summary_which_is_not_there_goes_on(house: Any, say: Any) -> None:
    talker = Talker(house, say)
    serve(house, "compact")
    _, runs = talk(house, 3)
    with superuser() as database:
        database.execute("DELETE FROM runs_summary WHERE id = %s", [house.steps(runs[2])[0].output["summary"]])
    with house.in_tenant():
        made = fork_run(actor=house.owner, run=runs[2], step=1)
    made = house.run(made)
    assert (made.state, made.crashes) == (RunState.SUCCEEDED, 0), made.failure
    assert len(talker.summed_up) == 2, "as if it had not been summed up"
