"""A person's word on an effect whose outcome nobody knows: done, failed, or do it again; told, recorded, and final."""

from typing import Any

import pytest

from agents.runs.control import retry_run
from agents.runs.models import Event, Run, RunState, StepState, Wait
from agents.runs.services import cancel_run, resolve_unknown
from agents.runs.traces import trace_hash
from foundation.actors import Actor, ActorKind
from foundation.errors import ConflictError, InvalidError
from tests.agents.runs.test_pause import together
from tests.workers import superuser


def resolve(house: Any, run: Run, outcome: str, **more: Any) -> None:
    with house.in_tenant():
        values = {"actor": house.owner, "number": 2, "evidence": "Receipt 7."} | more
        resolve_unknown(run=run, outcome=outcome, **values)


@pytest.fixture
def doubtful(house: Any, say: Any, call: Any) -> Run:
    """A run whose effect broke off after it was done."""
    house.model.answers = {"worker": [call("witness.effect", note="break"), say("Done.")]}
    run = house.run(house.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, Wait.PERSON)
    return run


def told(house: Any, run: Run) -> list[tuple[str, str]]:
    """Events in which a person had their say."""
    with house.in_tenant():
        events = Event.objects.filter(run_id=run.id, data__has_key="resolved").order_by("number")
        return [(event.kind, event.data["resolved"]) for event in events]


def test_done_lets_the_run_go_on_with_the_evidence(house: Any, doubtful: Run) -> None:
    resolve(house, doubtful, "done")
    run = house.run(doubtful)
    step = house.steps(run)[1]
    assert (run.state, step.state, step.output) == ("succeeded", "succeeded", {"confirmed": "Receipt 7."})
    assert "Receipt 7." in house.model.asked[-1]["input"][-1]["output"], "the model is told"
    assert len(house.lines()) == 1, "it is not done again"
    assert told(house, run) == [("step.succeeded", "done")]
    assert house.events(run)[-1] == "run.succeeded"


def test_failed_lets_the_run_go_on_without_it(house: Any, doubtful: Run) -> None:
    resolve(house, doubtful, "failed")
    run = house.run(doubtful)
    assert (run.state, house.steps(run)[1].state) == ("succeeded", StepState.FAILED)
    assert "did not happen: Receipt 7." in house.model.asked[-1]["input"][-1]["output"]
    assert (len(house.lines()), told(house, run)) == (1, [("step.failed", "failed")])


def test_retry_does_it_once_more_with_the_same_key_and_no_more_than_that(house: Any, doubtful: Run) -> None:
    resolve(house, doubtful, "retry")
    run = house.run(doubtful)
    assert (run.state, run.waits_for) == (RunState.WAITING, Wait.PERSON), "it broke off again"
    assert len(house.lines()) == 2
    assert len({key for _, key, _ in house.lines()}) == 1
    assert house.steps(run)[1].attempt == 2
    resolve(house, run, "done")
    assert house.run(run).state == RunState.SUCCEEDED
    assert told(house, run) == [("step.intended", "retry"), ("step.succeeded", "done")]
    assert len(house.lines()) == 2


def test_it_is_recorded_with_the_evidence(house: Any, doubtful: Run) -> None:
    resolve(house, doubtful, "done")
    with superuser() as database:
        rows = database.execute("SELECT actor_name, reason, step FROM audit_auditentry WHERE run_id = %s "
                                "AND action = 'step.resolve.done'", [doubtful.id]).fetchall()  # fmt: skip
    assert rows == [(house.owner.name, "Receipt 7.", 2)]


def test_of_two_words_the_first_counts(house: Any, doubtful: Run) -> None:
    raised = together(lambda: resolve(house, doubtful, "done"), lambda: resolve(house, doubtful, "failed"))
    assert sum(one is not None for one in raised) == 1
    assert len(told(house, doubtful)) == 1
    with pytest.raises(ConflictError):
        resolve(house, doubtful, "retry")
    run = house.run(doubtful)
    assert run.state == RunState.SUCCEEDED
    with house.in_tenant():
        assert trace_hash(run)


def test_only_a_person_with_evidence_has_a_say(house: Any, doubtful: Run) -> None:
    service = Actor(kind=ActorKind.SERVICE, name="robot", organisation=house.organisation.id)
    with pytest.raises(InvalidError, match="Only a person"):
        resolve(house, doubtful, "done", actor=service)
    with pytest.raises(InvalidError, match="how you know"):
        resolve(house, doubtful, "done", evidence=" ")
    with pytest.raises(InvalidError, match="done, failed or retry"):
        resolve(house, doubtful, "maybe")
    with pytest.raises(ConflictError, match="does not wait"):
        resolve(house, doubtful, "done", number=1)


@pytest.fixture
def ended(house: Any, doubtful: Run) -> Run:
    """A run that was cancelled while it was in doubt."""
    with house.in_tenant():
        cancel_run(actor=house.owner, run=doubtful)
    run = house.run(doubtful)
    assert (run.state, house.steps(run)[1].state) == (RunState.CANCELLED, StepState.UNKNOWN)
    return run


@pytest.mark.parametrize(("outcome", "state", "then"), [("done", "succeeded", 3), ("failed", "failed", 2)])
def test_a_run_that_has_ended_takes_a_word_and_can_then_be_retried(
    house: Any, ended: Run, outcome: str, state: str, then: int
) -> None:
    with house.in_tenant(), pytest.raises(ConflictError, match="say so first"):
        retry_run(actor=house.owner, run=ended, step=3)
    resolve(house, ended, outcome)
    run = house.run(ended)
    assert (run.state, run.ended_at, run.cost) == (RunState.CANCELLED, ended.ended_at, ended.cost), "it stays as it is"
    assert (house.steps(run)[1].state, told(house, run)) == (state, [(f"step.{state}", outcome)])
    with superuser() as database:
        kept = database.execute("SELECT reason FROM audit_auditentry WHERE run_id = %s AND action = %s",
                                [run.id, f"step.resolve.{outcome}"]).fetchall()  # fmt: skip
    assert kept == [("Receipt 7.",)]
    with pytest.raises(ConflictError, match="does not wait"):
        resolve(house, ended, outcome)
    with house.in_tenant():
        retry_run(actor=house.owner, run=ended, step=then)
    assert len(house.lines()) == 1


def test_a_run_that_has_ended_does_nothing_again(house: Any, ended: Run) -> None:
    with pytest.raises(ConflictError, match="has ended, and does nothing again"):
        resolve(house, ended, "retry")
    run = house.run(ended)
    assert (run.state, house.steps(run)[1].state, len(house.lines())) == (RunState.CANCELLED, StepState.UNKNOWN, 1)
