"""A fork that expects an event has an address of its own, which its step names to people and to the model."""

import json
from typing import Any

import pytest

from agents.runs.control import retry_run
from agents.runs.models import Callback, Run, RunState
from agents.runs.services import cancel_run
from foundation.audit.models import AuditEntry
from foundation.errors import ConflictError
from tests.agents.runs.test_events import opened, phone, secret_of
from tests.agents.runs.test_fork import fork


@pytest.fixture
def expecting(house: Any, say: Any, call: Any, equip: Any) -> Run:
    """A run that has opened an address at step 2, and waits for its call at step 4."""
    equip(house, "remit.wait_for_event", "remit.expect_event")
    house.model.answers["worker"] = [
        call("remit.expect_event", name="parcel"), call("remit.wait_for_event", name="parcel"), say("It came."),
    ]  # fmt: skip
    run = house.run(house.start())
    assert (run.state, run.waits_for) == (RunState.WAITING, "event"), run.failure
    return run


def address(house: Any, run: Run) -> Any:
    """What the step says that opened it."""
    return house.steps(run)[1].output["address"]


@pytest.mark.parametrize("step", [2, 3])
def test_a_fork_waits_for_the_address_that_its_step_names(house: Any, expecting: Run, step: int) -> None:
    made = fork(house, expecting, step)
    mine = opened(house, made)
    assert address(house, made).endswith(f"/callbacks/{mine.id}/call"), "people can give it away before it waits"
    assert address(house, made) != address(house, expecting)
    made = house.run(made)
    assert (made.waits_for, made.waits_on) == ("event", mine.id)
    assert house.steps(made)[3].output["address"] == address(house, made)
    phone(house, mine, secret_of(house, mine), b'"mine"')
    made = house.run(made)
    assert (made.state, house.steps(made)[3].output["payload"]) == (RunState.SUCCEEDED, "mine"), made.failure
    assert house.read(expecting).state == RunState.WAITING, "its own address was not called"
    shown = json.dumps(house.model.asked[-1]["input"])
    assert address(house, made) in shown, "the model knows it too"
    assert address(house, expecting) not in shown


def test_the_formers_address_is_the_formers(house: Any, expecting: Run) -> None:
    made, former = house.run(fork(house, expecting, 3)), opened(house, expecting)
    assert secret_of(house, former) != secret_of(house, opened(house, made))
    phone(house, former, secret_of(house, former), b'"former"')
    assert house.run(expecting).state == RunState.SUCCEEDED
    assert house.read(made).state == RunState.WAITING


def test_a_retry_has_an_address_that_takes_a_call(house: Any, expecting: Run) -> None:
    with house.in_tenant():
        cancel_run(actor=house.owner, run=expecting)
    house.run(expecting)
    former = opened(house, expecting)
    with pytest.raises(ConflictError, match="Nothing waits"):
        phone(house, former, secret_of(house, former), b"{}")
    with house.in_tenant():
        made = retry_run(actor=house.owner, run=house.read(expecting), step=4)
        told = AuditEntry.objects.get(action="callback.open", run_id=made.id)
    mine = opened(house, made)
    assert (told.target_id, told.actor_name, mine.expires_at <= made.deadline) == (mine.id, "Olga Owner", True)
    made = house.run(made)
    phone(house, mine, secret_of(house, mine), b"{}")
    assert house.run(made).state == RunState.SUCCEEDED


def test_an_address_that_was_called_already_is_left_as_it_was(house: Any, expecting: Run) -> None:
    former = opened(house, expecting)
    phone(house, former, secret_of(house, former), b'"came"')
    house.run(expecting)
    made = house.run(fork(house, expecting, 4))
    assert (made.state, address(house, made)) == (RunState.SUCCEEDED, address(house, expecting)), made.failure
    with house.in_tenant():
        assert not Callback.objects.filter(run_id=made.id).exists()
