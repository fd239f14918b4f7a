"""`remit.expect_event` and `remit.wait_for_event`: one signed call from outside, which nobody vouches for."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from agents.runs.models import Callback, Run, RunState, StepState
from agents.runs.services import cancel_run
from agents.runs.waits import receive_callback, show_secret
from foundation.access.guards import UnknownError
from foundation.actors import Actor, ActorKind
from foundation.api.signatures import SignatureError, sign
from foundation.errors import ConflictError, InvalidError
from foundation.ids import uuid7


def opened(house: Any, run: Any) -> Callback:
    """The address of a run."""
    with house.in_tenant():
        return Callback.objects.get(run_id=run.pk)


def secret_of(house: Any, callback: Callback) -> str:
    """What a person is shown."""
    with house.in_tenant():
        return show_secret(actor=house.owner, callback=callback)


def phone(house: Any, callback: Callback, secret: str, body: bytes, ago: int = 0, signed: bytes | None = None) -> None:
    """A call from outside."""
    at = int(time.time()) - ago
    headers = {"Remit-Timestamp": str(at), "Remit-Signature": sign(secret, at, body if signed is None else signed)}
    with house.in_tenant():
        receive_callback(callback.id, body, headers)


@pytest.fixture
def waiting(house: Any, say: Any, call: Any, equip: Any) -> Any:
    """A run that waits for a call."""
    equip(house, "remit.wait_for_event", "remit.expect_event")
    house.model.answers = {"worker": [call("remit.wait_for_event", name="parcel"), say("It came.")]}
    run = house.run(house.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, "event"), run.failure
    return run


def test_a_signed_call_wakes_the_run(house: Any, waiting: Any) -> None:
    callback = opened(house, waiting)
    secret = secret_of(house, callback)
    assert secret not in json.dumps([step.output for step in house.steps(waiting)])
    assert secret not in json.dumps(house.model.asked)
    assert callback.sealed_secret != secret
    assert str(callback.id) in house.steps(waiting)[1].output["address"]
    phone(house, callback, secret, b'{"parcel": 17}')
    run = house.run(waiting)
    assert run.state == RunState.SUCCEEDED, run.failure
    step = house.steps(run)[1]
    assert step.output["payload"] == {"parcel": 17}
    assert step.label["integrity"] == "untrusted"
    assert "callback:parcel" in step.label["sources"]
    with house.in_tenant():
        assert Run.objects.get(pk=run.pk).session.label["integrity"] == "untrusted"


@pytest.mark.parametrize("levels", [101, 300, 400])
def test_a_body_that_no_journal_bears_is_refused_and_the_run_waits_on(house: Any, waiting: Any, levels: int) -> None:
    callback = opened(house, waiting)
    secret = secret_of(house, callback)
    with pytest.raises(InvalidError, match="levels"):
        phone(house, callback, secret, b"[" * levels + b"1" + b"]" * levels)
    phone(house, callback, secret, b"[" * 100 + b"1" + b"]" * 100)
    assert house.run(waiting).state == RunState.SUCCEEDED


def test_it_is_called_once(house: Any, waiting: Any) -> None:
    callback = opened(house, waiting)
    secret = secret_of(house, callback)
    phone(house, callback, secret, b"1")
    with pytest.raises(ConflictError, match="takes one call"):
        phone(house, callback, secret, b"2")
    house.run(waiting)
    assert house.steps(waiting)[1].output["payload"] == 1
    with house.in_tenant(), pytest.raises(ConflictError, match="called already"):
        show_secret(actor=house.owner, callback=callback)


def test_what_is_not_right_is_refused(house: Any, waiting: Any) -> None:
    callback = opened(house, waiting)
    secret = secret_of(house, callback)
    with pytest.raises(SignatureError):
        phone(house, callback, "another", b"{}")
    with pytest.raises(SignatureError):
        phone(house, callback, secret, b"{}", signed=b"{ }")
    with pytest.raises(SignatureError):
        phone(house, callback, secret, b"{}", ago=301)
    with pytest.raises(InvalidError, match="not JSON"):
        phone(house, callback, secret, b"{")
    with pytest.raises(InvalidError, match="larger"):
        phone(house, callback, secret, b'"' + b"x" * 300_000 + b'"')
    with house.in_tenant(), pytest.raises(UnknownError):
        receive_callback(uuid7(), b"{}", {})
    assert house.read(waiting).state == RunState.WAITING
    assert opened(house, waiting).received_at is None


@pytest.mark.parametrize("levels", [101, 300, 900])
def test_a_call_that_is_nested_too_deep_is_refused(house: Any, waiting: Any, levels: int) -> None:
    callback = opened(house, waiting)
    secret = secret_of(house, callback)
    with pytest.raises(InvalidError, match="100 levels"):
        phone(house, callback, secret, b"[" * levels + b"]" * levels)
    phone(house, callback, secret, b"[" * 100 + b"]" * 100)
    run = house.run(waiting)
    assert (run.state, run.crashes) == (RunState.SUCCEEDED, 0), run.failure


def test_another_organisation_does_not_know_it(house: Any, make_house: Any, waiting: Any) -> None:
    callback = opened(house, waiting)
    secret = secret_of(house, callback)
    with pytest.raises(UnknownError):
        phone(make_house(), callback, secret, b"{}")


def test_an_agent_is_never_shown_the_secret(house: Any, waiting: Any) -> None:
    agent = Actor(kind=ActorKind.AGENT, name="a", principal=house.agent.id, organisation=house.organisation.id)
    with house.in_tenant(), pytest.raises(InvalidError):
        show_secret(actor=agent, callback=opened(house, waiting))


def test_nothing_calls_in_time_and_the_run_goes_on(house: Any, waiting: Any) -> None:
    callback = opened(house, waiting)
    secret, gone = secret_of(house, callback), datetime.now(UTC) - timedelta(seconds=1)
    with house.in_tenant():
        Callback.objects.filter(pk=callback.pk).update(expires_at=gone)
        Run.objects.filter(pk=waiting.pk).update(wake_at=gone)
    with pytest.raises(ConflictError, match="Nothing waits"):
        phone(house, callback, secret, b"{}")
    run = house.run(waiting)
    assert run.state == RunState.SUCCEEDED
    assert (house.steps(run)[1].state, house.steps(run)[1].error) == (StepState.FAILED, "Nothing called in time.")


def test_a_cancelled_run_takes_no_call(house: Any, waiting: Any) -> None:
    callback = opened(house, waiting)
    secret = secret_of(house, callback)
    with house.in_tenant():
        cancel_run(actor=house.owner, run=waiting)
    house.run(waiting)
    with pytest.raises(ConflictError, match="Nothing waits"):
        phone(house, callback, secret, b"{}")


def test_a_call_before_the_wait_is_not_lost(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.wait_for_event", "remit.expect_event", "witness.read")
    house.model.answers = {
        "worker": [call("remit.expect_event", name="parcel"), call("remit.wait_for_event", name="parcel"), say("So.")]
    }
    answer = house.model.answer

    def call_first(request: dict[str, Any]) -> Any:
        if "expect_event" in json.dumps(request["input"]) and not opened(house, run).received_at:
            phone(house, opened(house, run), secret_of(house, opened(house, run)), b'"early"')
        return answer(request)

    house.model.answer = call_first
    run = house.start()
    run = house.run(run)
    assert run.state == RunState.SUCCEEDED, run.failure
    expected, waited = house.steps(run)[1], house.steps(run)[3]
    assert expected.output["address"].endswith(f"/api/v1/callbacks/{opened(house, run).id}/call")
    assert waited.output["payload"] == "early"
    assert "run.waiting" not in house.events(run)


def test_a_second_wait_of_the_same_name_waits_for_a_second_call(house: Any, say: Any, call: Any, equip: Any) -> None:
    equip(house, "remit.wait_for_event")
    house.model.answers = {"worker": [*[call("remit.wait_for_event", name="tick")] * 2, say("Twice.")]}
    run = house.run(house.start())
    first = opened(house, run)
    phone(house, first, secret_of(house, first), b"1")
    run = house.run(run)
    assert run.waits_for == "event"
    with house.in_tenant():
        second = Callback.objects.exclude(pk=first.pk).get(run_id=run.pk)
    phone(house, second, secret_of(house, second), b"2")
    run = house.run(run)
    assert [step.output["payload"] for step in house.steps(run) if step.name == "remit.wait_for_event"] == [1, 2]


def test_of_calls_at_the_same_moment_one_counts(house: Any, waiting: Any) -> None:
    callback = opened(house, waiting)
    secret, taken, together = secret_of(house, callback), [], threading.Barrier(4)

    def answer(number: int) -> None:
        try:
            together.wait()
            phone(house, callback, secret, str(number).encode())
            taken.append(number)
        except ConflictError:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    house.run(waiting)
    assert house.steps(waiting)[1].output["payload"] == taken[0]
