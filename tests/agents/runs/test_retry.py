"""A retry goes on before the step that failed, for the same people, and does nothing twice."""

from typing import Any

import pytest

from agents.runs.control import replay_run, retry_run
from agents.runs.models import Run, RunState
from agents.runs.services import cancel_run
from foundation.errors import ConflictError, InvalidError
from tests.agents.runs.test_pause import together


def retry(house: Any, run: Run, step: int) -> Run:
    with house.in_tenant():
        return retry_run(actor=house.approver, run=Run.objects.get(pk=run.pk), step=step, reason="Once more.")


def failed(house: Any, say: Any, call: Any) -> Run:
    """A run whose second model call, at step 3, failed for good."""
    house.model.answers = {"worker": [call("witness.effect", note="a"), say("Done.")]}
    real = house.model.answer

    def answer(request: Any) -> Any:
        house.model.fail_with = [400]
        house.model.answer = real
        return real(request)

    house.model.answer = answer
    run = house.run(house.start())
    house.model.fail_with = []
    assert (run.state, len(house.steps(run))) == (RunState.FAILED, 3)
    return run


def test_a_failed_run_goes_on_where_it_failed(house: Any, say: Any, call: Any) -> None:
    run = failed(house, say, call)
    made = house.run(retry(house, run, 3))
    assert (made.state, made.output) == (RunState.SUCCEEDED, {"text": "Done."}), made.failure
    assert [line[2] for line in house.lines()] == ["a"]
    assert (made.version_id, made.chain, made.requester_id) == (run.version_id, run.chain, run.requester_id)
    assert (made.source, made.relation, made.former_step) == ("retry", "fork", 2)


def test_a_retry_never_does_an_effect_again(house: Any, say: Any, call: Any) -> None:
    run = failed(house, say, call)
    with pytest.raises(ConflictError, match=r"Step 2 .witness.effect. was done.*retry from step 3"):
        retry(house, run, 2)
    with pytest.raises(ConflictError, match="would do it again"):
        retry(house, run, 1)


def test_a_retry_never_repeats_what_nobody_knows(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="break"), say("Done.")]}
    run = house.run(house.start())
    with pytest.raises(ConflictError, match="Only a run that failed"):
        retry(house, run, 2)
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    run = house.run(run)
    with pytest.raises(ConflictError, match="may have been done"):
        retry(house, run, 2)
    with pytest.raises(ConflictError, match="Nobody knows what step 2"):
        retry(house, run, 3)


def test_a_cancelled_run_goes_on_behind_its_last_step(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="a"), say("Done.")]}
    house.model.fail_with = [503]
    run = house.run(house.start())
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)
    run = house.run(run)
    made = house.run(retry(house, run, 2))
    assert made.state == RunState.SUCCEEDED
    assert [(step.state, step.attempt) for step in house.steps(made)][:2] == [("failed", 1), ("succeeded", 1)]


def test_its_tries_count_anew(house: Any, say: Any) -> None:
    """Where the endpoint was away for too long, a retry bears as much as the run did."""
    house.model.answers = {"worker": [say("Done.")]}
    house.model.fail_with = [503] * 4
    run = house.start()
    while not house.is_over(run):
        with house.in_tenant():
            Run.objects.filter(pk=run.pk, state="waiting").update(wake_at="2020-01-01T00:00Z")
        run = house.run(run)
    assert [step.attempt for step in house.steps(run)] == [1, 2, 3, 4]
    house.model.fail_with = [503]
    made = house.run(retry(house, run, 5))
    assert (made.state, made.waits_for) == (RunState.WAITING, "timer"), made.failure
    with house.in_tenant():
        Run.objects.filter(pk=made.pk).update(wake_at="2020-01-01T00:00Z")
    assert house.run(made).state == RunState.SUCCEEDED
    assert [step.attempt for step in house.steps(made)] == [1, 2, 3, 4, 1, 2]


def test_a_run_is_retried_once_whoever_is_first(house: Any, say: Any, call: Any) -> None:
    run = failed(house, say, call)
    raised = together(lambda: retry(house, run, 3), lambda: retry(house, run, 3))
    assert sum(one is not None for one in raised) == 1
    with house.in_tenant():
        assert Run.objects.filter(former=run).count() == 1
    with pytest.raises(ConflictError, match="was retried already"):
        retry(house, run, 3)


def test_what_succeeded_or_was_played_is_not_retried(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run = house.run(house.start())
    with pytest.raises(ConflictError, match="Only a run that failed"):
        retry(house, run, 1)
    bad = failed(house, say, call)
    with house.in_tenant():
        played = replay_run(actor=house.owner, run=bad)
    with pytest.raises(ConflictError, match="A replay did nothing"):
        retry(house, house.run(played), 3)
    with pytest.raises(InvalidError, match="between 1 and 4"):
        retry(house, bad, 5)
