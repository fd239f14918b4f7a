"""Pausing and resuming: nothing is done meanwhile, nothing that comes meanwhile is lost, whoever races."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from agents.runs import advancing, calling, calls, engine
from agents.runs.control import pause_run, resume_run
from agents.runs.models import Run, RunState, Wait
from agents.runs.services import cancel_run, resolve_unknown
from foundation.errors import ConflictError
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve

PAST = "2020-01-01T00:00Z"
ASK_FIRST = (
    '@id("allow") permit (principal, action, resource);\n'
    '@id("careful") @ask("May I?") @approvers("approver") @quorum("1") @expires("1h") @risk("low")\n'
    'forbid (principal, action, resource == Tool::"witness.effect") unless { context.approved };'
)


def pause(house: Any, run: Run) -> None:
    with house.in_tenant():
        pause_run(actor=house.owner, run=run, reason="Let me look.")


def resume(house: Any, run: Run) -> None:
    with house.in_tenant():
        resume_run(actor=house.owner, run=run)


def cancel(house: Any, run: Run) -> None:
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run)


def yes(house: Any, run: Run) -> None:
    with house.in_tenant():
        request = ApprovalRequest.objects.get(run=run)
        approve(actor=house.approver, request=request, digest=request.digest)


def test_a_queued_run_is_paused_before_its_first_act_and_goes_on(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run = house.start()
    pause(house, run)
    now = house.run(run)
    assert (now.state, now.waits_for, house.model.asked) == (RunState.WAITING, Wait.PAUSE, [])
    assert now.wake_at == now.deadline, "its time runs on"
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED
    assert house.events(run)[:4] == ["run.queued", "run.waiting", "run.unpaused", "run.started"]


def test_a_pause_during_a_model_call_stops_the_next_act(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="once"), say("Done.")]}
    run, real = house.start(), calls.call_model

    def meanwhile(*given: Any) -> Any:
        answer = real(*given)
        pause(house, run)
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(calls, "call_model", meanwhile)
        now = house.run(run)
    assert (now.state, now.waits_for) == (RunState.WAITING, Wait.PAUSE)
    assert house.lines() == []
    assert [step.state for step in house.steps(run)] == ["succeeded"], "what was answered is written, and paid"
    assert now.cost == 110
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED
    assert [line[2] for line in house.lines()] == ["once"]


def test_a_pause_during_an_effect_keeps_its_outcome(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="once"), say("Done.")]}
    run, real = house.start(), calls.call_tool

    def meanwhile(*given: Any) -> Any:
        called = real(*given)
        pause(house, run)
        return called

    monkeypatch.setattr(calls, "call_tool", meanwhile)
    assert house.run(run).waits_for == Wait.PAUSE
    assert [step.state for step in house.steps(run)] == ["succeeded", "succeeded"]
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED
    assert len(house.lines()) == 1


def test_an_approval_that_comes_while_paused_is_not_lost(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.run(house.start())
    pause(house, run)
    assert house.read(run).waits_for == Wait.APPROVAL, "it keeps its wait"
    yes(house, run)
    now = house.run(run)
    assert (now.state, now.waits_for) == (RunState.WAITING, Wait.PAUSE), "woken, it pauses"
    assert house.lines() == []
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED
    assert len(house.lines()) == 1


def test_an_approval_that_comes_after_the_pause_began_is_seen_at_the_end_of_it(
    make_house: Any, say: Any, call: Any
) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.run(house.start())
    # Somebody woke it without an answer, and before a worker takes it, it is paused: it now waits for nothing else.
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(state="queued", waits_for="", waits_on=None, wake_at=None)
    pause(house, run)
    assert house.read(run).waits_for == Wait.PAUSE
    yes(house, run)
    assert house.run(run).waits_for == Wait.PAUSE
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED


def test_a_resumed_run_whose_wait_is_not_over_waits_on(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.run(house.start())
    pause(house, run)
    resume(house, run)
    assert house.read(run).waits_for == Wait.APPROVAL
    yes(house, run)
    assert house.run(run).state == RunState.SUCCEEDED


def test_a_timer_that_ends_while_paused_is_not_lost(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    house.model.fail_with = [503]
    run = house.run(house.start())
    pause(house, run)
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(wake_at=PAST)
    assert house.run(run).waits_for == Wait.PAUSE
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED


def test_children_are_paused_and_resumed_with_their_parent(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    add_agent("leaf", [])
    add_agent("middle", ["leaf"])
    boss = add_agent("boss", ["middle"])
    house.model.answers = {"boss": [call("delegate.middle", task="a"), say("All done.")],
                           "middle": [call("delegate.leaf", task="b"), say("Passed on.")],
                           "leaf": [say("Done.")]}  # fmt: skip
    run = house.start(agent=boss)
    (middle,) = engine.advance(run.id)
    (leaf,) = engine.advance(middle)
    pause(house, run)
    with house.in_tenant():
        found = {one.id: one for one in Run.objects.filter(root_id=run.id)}
    assert {one.pause_requested for one in found.values()} == {True}
    assert found[leaf].waits_for == Wait.PAUSE
    assert engine.advance(leaf) == []
    resume(house, run)
    assert house.run(found[leaf]).state == RunState.SUCCEEDED
    assert house.read(run).state == RunState.SUCCEEDED


def test_a_child_that_is_about_to_be_made_is_not_made(
    house: Any, say: Any, call: Any, add_agent: Any, monkeypatch: Any
) -> None:
    add_agent("writer", [])
    boss = add_agent("boss", ["writer"])
    house.model.answers = {"boss": [call("delegate.writer", task="a"), say("Done.")], "writer": [say("Written.")]}
    run, real = house.start(agent=boss), calling.actions.tool_call

    def meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(calling.actions, "tool_call", real)
        pause(house, run)
        return real(*given)

    monkeypatch.setattr(calling.actions, "tool_call", meanwhile)
    assert engine.advance(run.id) == []
    assert house.read(run).waits_for == Wait.PAUSE
    with house.in_tenant():
        assert Run.objects.filter(root_id=run.id).count() == 1
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED


def test_a_run_that_is_resumed_before_its_worker_saw_the_pause_never_stops(
    house: Any, say: Any, call: Any, monkeypatch: Any
) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run, real = house.start(), advancing.Advancing.wait

    def meanwhile(self: Any, what: Wait, *rest: Any) -> None:
        # The worker has seen the pause and is about to write that it waits for its end, which comes now.
        if what is Wait.PAUSE:
            resume(house, run)
        real(self, what, *rest)

    def pausing(*given: Any) -> Any:
        answer = called(*given)
        if not house.read(run).pause_requested and len(house.steps(run)) == 1:
            pause(house, run)
        return answer

    called = calls.call_model
    monkeypatch.setattr(calls, "call_model", pausing)
    monkeypatch.setattr(advancing.Advancing, "wait", meanwhile)
    assert house.run(run).state == RunState.SUCCEEDED, "no lost wake-up"
    assert len(house.lines()) == 1


def test_cancelling_ends_a_paused_run(house: Any) -> None:
    run = house.start()
    pause(house, run)
    cancel(house, run)
    assert house.run(run).state == RunState.CANCELLED
    assert house.model.asked == []
    with pytest.raises(ConflictError, match="already ended"):
        resume(house, run)


def test_the_time_limit_ends_a_paused_run(house: Any) -> None:
    run = house.start()
    pause(house, run)
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(deadline=PAST, wake_at=PAST)
    assert house.run(run).state == RunState.EXPIRED


def test_a_step_in_doubt_can_be_settled_while_paused(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="break"), say("Done.")]}
    run = house.run(house.start())
    assert run.waits_for == Wait.PERSON
    pause(house, run)
    with house.in_tenant():
        resolve_unknown(actor=house.owner, run=run, number=2, outcome="done", evidence="The ledger says so.")
    assert house.run(run).waits_for == Wait.PAUSE
    resume(house, run)
    assert house.run(run).state == RunState.SUCCEEDED


def test_pausing_twice_or_resuming_what_runs_is_a_conflict(house: Any) -> None:
    run = house.start()
    with pytest.raises(ConflictError, match="not paused"):
        resume(house, run)
    pause(house, run)
    with pytest.raises(ConflictError, match="paused already"):
        pause(house, run)


def together(*acts: Any) -> list[Any]:
    """Do these at the same moment; what each raised, or None."""
    barrier = threading.Barrier(len(acts))

    def one(act: Any) -> Any:
        barrier.wait(10)
        try:
            act()
        except ConflictError as error:
            return error
        finally:
            connections.close_all()
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_of_two_who_resume_at_once_one_does(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    for turn in range(5):
        run = house.start(f"{turn}")
        pause(house, run)
        raised = together(lambda run=run: resume(house, run), lambda run=run: resume(house, run))
        assert sum(one is not None for one in raised) == 1
        assert house.events(run).count("run.unpaused") == 1
        assert house.run(run).state == RunState.SUCCEEDED


def test_a_cancellation_beats_a_pause_whoever_is_first(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    for turn in range(5):
        run = house.start(f"{turn}")
        together(lambda run=run: pause(house, run), lambda run=run: cancel(house, run))
        assert house.run(run).state == RunState.CANCELLED


def test_a_pause_against_a_worker_is_a_pause_or_an_end_and_nothing_between(house: Any, say: Any, call: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="x"), call("witness.effect", note="y"), say("Done.")]}
    for turn in range(5):
        run, before = house.start(f"{turn}"), len(house.lines())
        together(lambda run=run: engine.advance(run.id), lambda run=run: pause(house, run))
        now = house.read(run)
        assert now.state == RunState.SUCCEEDED or (now.state, now.waits_for) == (RunState.WAITING, Wait.PAUSE)
        if now.state == RunState.WAITING:
            resume(house, run)
        assert house.run(run).state == RunState.SUCCEEDED
        assert len(house.lines()) == before + 2, "each effect once"
