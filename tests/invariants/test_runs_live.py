"""No run is lost or resurrected: workers die, stall and race; bells are lost; people cancel; every run ends, once."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agents.runs import calling, calls, engine
from agents.runs.claims import Change, Lease, StaleLeaseError, due, hold, wake
from agents.runs.journal import engine_transaction
from agents.runs.models import ENDED, Run, RunState, Wait
from agents.runs.services import cancel_run
from agents.runs.taking import take
from agents.runs.work import load
from agents.runs.writer import Entries, Writer
from foundation.errors import ConflictError
from governance.approvals.models import ApprovalRequest
from governance.approvals.services import approve, deny
from tests.barriers import Barrier
from tests.workers import Worker, running, superuser, until

PAST = "2020-01-01T00:00Z"
ASK_FIRST = (
    '@id("allow") permit (principal, action, resource);\n'
    '@id("careful") @ask("May I?") @approvers("approver") @quorum("1") @expires("1h") @risk("low")\n'
    'forbid (principal, action, resource == Tool::"witness.effect") unless { context.approved };'
)


def claim(run: UUID, worker: str) -> Lease | None:
    """The lease of a run for a worker of this name, if it is to be had."""
    found = take(worker, 30, [run])
    return found[0].lease if found else None


def set_run(house: Any, run: Run, **values: Any) -> None:
    with house.in_tenant():
        Run.objects.filter(pk=run.pk).update(**values)


def cancel(house: Any, run: Run) -> None:
    with house.in_tenant():
        cancel_run(actor=house.owner, run=run, reason="Not needed.")


@pytest.mark.slow
def test_runs_outlive_the_workers_that_are_killed(
    house: Any, say: Any, call: Any, add_agent: Any, tmp_path: Path
) -> None:
    chance = random.Random(7)  # noqa: S311 - moments of kills, the same each time
    writer = add_agent("writer", [])
    boss = add_agent("boss", ["writer"])
    house.model.answers = {
        "worker": [*(call("witness.idempotent", note=f"{turn}") for turn in range(4)), say("Done.")],
        "writer": [call("witness.idempotent", note="w"), say("Written.")],
        "boss": [call("delegate.writer", task="Write."), call("witness.idempotent", note="b"), say("Done.")],
    }
    runs = [house.start(f"run {number}", agent) for number, agent in enumerate([None] * 6 + [boss] * 3 + [writer] * 2)]
    worker = Worker(tmp_path, house.model.url.split("/")[2])

    def standing() -> object:
        rows = [house.read(run) for run in runs]
        return [
            (row.state, row.waits_for, row.lease_until, row.crashes, row.fence) for row in rows
        ], worker.log.read_text()

    with Barrier(house.witness) as barrier, running(worker):
        for _ in range(4):
            barrier.close_at(len(barrier.written) + chance.randrange(5))
            until(lambda: any(call.at for call in barrier.halted()), 60, standing)
            in_flight = set(barrier.halted())
            worker.kill()
            assert barrier.wait_for(lambda lost=in_flight: lost <= set(barrier.lost), 10), "they ended nevertheless"
            barrier.open()
            worker.start()
        until(lambda: all(map(house.is_over, runs)), 90, standing)
    repeated = Counter(key for _, key, _ in house.lines())
    done = {call.key for call in barrier.lost if call.at}
    assert done
    assert min(repeated[key] for key in done) > 1, "what was done when a worker died was done again"
    for run in runs:
        now = house.read(run)
        assert now.state == RunState.SUCCEEDED, (now.failure, house.steps(run))
        assert sum(kind == "run.succeeded" for kind in house.events(run)) == 1, "ended once"
        assert {step.state for step in house.steps(run)} <= {"succeeded", "failed"}
    with superuser() as database:
        held = database.execute("SELECT count(*) FROM budgets_reservation WHERE organisation_id = %s "
                                "AND state = 'held'",
                                [house.organisation.id]).fetchone()  # fmt: skip
        ended = database.execute(
            "SELECT run_id, count(*) FROM audit_auditentry WHERE organisation_id = %s AND action LIKE 'run.succeeded' "
            "GROUP BY 1 HAVING count(*) <> 1", [house.organisation.id],
        ).fetchall()  # fmt: skip
    assert held == (0,), "nothing stays held"
    assert ended == []


def test_a_stale_worker_changes_nothing(house: Any, say: Any) -> None:
    run = house.start()
    first = claim(run.id, "first")
    assert first is not None
    assert claim(run.id, "second") is None
    set_run(house, run, lease_until=PAST)
    second = claim(run.id, "second")
    assert second is not None
    assert (second.fence, second.crashes) == (first.fence + 1, 1)
    for change in (Change(), Change(state=RunState.SUCCEEDED), Change(state=RunState.WAITING, waits_for=Wait.TIMER)):
        with pytest.raises(StaleLeaseError), engine_transaction() as cursor:
            hold(cursor, first, 30, change, events=1)
    with engine_transaction() as cursor:
        hold(cursor, second, 30, Change(state=RunState.FAILED, failure="x"), events=0)
    with pytest.raises(StaleLeaseError), engine_transaction() as cursor:
        hold(cursor, second, 30, Change(), events=0)


@pytest.mark.parametrize("alone", [False, True])
def test_a_commit_on_a_stale_lease_changes_nothing(house: Any, alone: bool) -> None:
    """As the engine writes it: with others in one transaction, or in one of its own."""
    run = house.start()
    (taken,) = take("first", 30, [run.id])
    writer = Writer(load(taken))
    set_run(house, run, lease_until=PAST)
    assert claim(run.id, "second") is not None
    before = Run.objects.using("engine").values().get(pk=run.id)
    for change in (Change(), Change(state=RunState.SUCCEEDED), Change(state=RunState.WAITING, waits_for=Wait.TIMER)):
        entries = Entries(change=change)
        entries.event("run.waiting", {})
        if alone:
            entries.afterwards(lambda cursor: cursor.execute("SELECT 1"))
        with pytest.raises(StaleLeaseError):
            writer.write(entries)
    assert Run.objects.using("engine").values().get(pk=run.id) == before
    assert house.events(run) == ["run.queued"]


def test_a_worker_that_wakes_up_late_has_no_say(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    """The first worker stalls in its tool call; the second takes over and ends the run; then the first comes back."""
    house.model.answers = {"worker": [call("witness.idempotent", note="x"), say("Done.")]}
    run, real = house.start(), calls.call_tool
    stalled, go_on = threading.Event(), threading.Event()

    def stall(*given: Any) -> Any:
        if not stalled.is_set():
            stalled.set()
            go_on.wait(20)
        return real(*given)

    monkeypatch.setattr(calls, "call_tool", stall)

    def first() -> list[Any]:
        try:
            return engine.advance(run.id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(first)
        assert stalled.wait(10)
        set_run(house, run, lease_until=PAST)
        assert house.run(run).state == RunState.SUCCEEDED
        before = (house.events(run), house.steps(run)[1].output, house.read(run).cost)
        go_on.set()
        assert late.result() == []
    assert (house.events(run), house.steps(run)[1].output, house.read(run).cost) == before
    assert len({key for _, key, _ in house.lines()}) == 1


@pytest.mark.parametrize("state", [state.value for state in ENDED])
def test_ended_states_absorb(house: Any, state: str) -> None:
    run = house.start()
    set_run(house, run, state=state, ended_at="2026-01-01T00:00Z", wake_at=PAST, rung_at=PAST, lease_until=PAST)
    assert engine.advance(run.id) == []
    assert run.id not in due(0, 1000)
    with engine_transaction() as cursor:
        assert not wake(cursor, run.id, run.id)
    with pytest.raises(ConflictError):
        cancel(house, run)
    assert house.read(run).state == state


def test_the_tick_finds_whatever_is_due_and_nothing_else(house: Any) -> None:
    lost, fresh, dead, alive, slept, sleeping = (house.start(f"{number}") for number in range(6))
    set_run(house, lost, rung_at=PAST)
    set_run(house, dead, state="running", lease_until="2026-01-01T00:00Z", rung_at=PAST)
    set_run(house, alive, state="running", lease_until="2999-01-01T00:00Z", rung_at=PAST)
    set_run(house, slept, state="waiting", waits_for="timer", wake_at="2026-01-01T00:00Z", rung_at=PAST)
    set_run(house, sleeping, state="waiting", waits_for="timer", wake_at="2999-01-01T00:00Z", rung_at=PAST)
    ours = {one.id for one in (lost, fresh, dead, alive, slept, sleeping)}
    assert set(due(10, 10_000)) & ours == {lost.id, dead.id, slept.id}
    assert not set(due(10, 10_000)) & ours, "each is named once in a while"


def test_a_timer_is_due_when_it_says_however_lately_the_bell_rang(house: Any) -> None:
    run = house.start()
    with superuser() as database:
        database.execute("UPDATE runs_run SET state = 'waiting', waits_for = 'timer', "
                         "rung_at = now() - interval '2 s', "
                         "wake_at = now() - interval '1 s' WHERE id = %s", [run.id])  # fmt: skip
    assert run.id in due(10, 10_000)


def test_a_run_that_kills_its_workers_is_stopped(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [call("witness.idempotent", note="x"), say("Done.")]}
    run = house.start()

    def die(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(calls, "call_tool", die)
    attempts = 0
    while not house.is_over(run):
        attempts += 1
        assert attempts < 20, "it goes on for ever"
        try:
            engine.advance(run.id)
        except SystemExit:
            set_run(house, run, lease_until=PAST)
    now = house.read(run)
    assert (now.state, now.crashes) == (RunState.FAILED, 6)
    assert "worker died 6 times" in now.failure
    assert house.steps(run)[1].state == "unknown"


def test_a_fault_of_the_engine_lets_the_run_go_and_is_bounded(house: Any, say: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    run = house.start()

    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as context:
        context.setattr(engine, "next_move", fail)
        assert house.run(run).waits_for == "timer"
    assert house.read(run).crashes == 1
    set_run(house, run, wake_at=PAST)
    assert house.run(run).state == RunState.SUCCEEDED, "a passing fault passes"
    run = house.start()
    monkeypatch.setattr(engine, "load", fail)
    for _ in range(6):
        assert not house.is_over(run)
        house.run(run)
        if not house.is_over(run):
            set_run(house, run, wake_at=PAST)
    now = house.read(run)
    assert now.state == RunState.FAILED
    assert "RuntimeError" in now.failure


def test_a_queued_run_is_cancelled_before_it_costs_anything(house: Any) -> None:
    run = house.start()
    cancel(house, run)
    assert house.run(run).state == RunState.CANCELLED
    assert house.model.asked == []


def test_a_cancellation_during_a_call_stops_the_next_act(house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    house.model.answers = {"worker": [call("witness.effect", note="never"), say("Done.")]}
    run, real = house.start(), calls.call_model

    def meanwhile(*given: Any) -> Any:
        answer = real(*given)
        cancel(house, run)
        return answer

    monkeypatch.setattr(calls, "call_model", meanwhile)
    assert house.run(run).state == RunState.CANCELLED
    assert house.lines() == []
    assert [step.state for step in house.steps(run)] == ["succeeded"], "what was answered is written, and paid"
    assert house.read(run).cost == 110


def test_a_cancellation_just_before_a_wait_is_not_lost(make_house: Any, say: Any, call: Any, monkeypatch: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run, real = house.start(), calling.actions.tool_call

    def meanwhile(*given: Any) -> Any:
        cancel(house, run)
        return real(*given)

    monkeypatch.setattr(calling.actions, "tool_call", meanwhile)
    assert house.run(run).state == RunState.CANCELLED


def test_a_waiting_run_is_cancelled_with_its_children(house: Any, say: Any, call: Any, add_agent: Any) -> None:
    add_agent("leaf", [])
    add_agent("middle", ["leaf"])
    boss = add_agent("boss", ["middle"])
    house.model.answers = {"boss": [call("delegate.middle", task="a")], "middle": [call("delegate.leaf", task="b")],
                           "leaf": [say("Never said.")]}  # fmt: skip
    run = house.start(agent=boss)
    (middle,) = engine.advance(run.id)
    (leaf,) = engine.advance(middle)
    cancel(house, run)
    assert house.run(run).state == RunState.CANCELLED
    with house.in_tenant():
        states = dict(Run.objects.filter(root_id=run.id).values_list("id", "state"))
    assert states == {run.id: "cancelled", middle: "cancelled", leaf: "cancelled"}
    assert house.steps(run)[1].state == "failed"


def test_nobody_waits_beyond_the_time_limit(make_house: Any, say: Any, call: Any) -> None:
    house = make_house(ASK_FIRST)
    house.model.answers = {"worker": [call("witness.effect", note="x"), say("Done.")]}
    run = house.run(house.start())
    assert run.waits_for == "approval"
    assert run.wake_at == run.deadline
    set_run(house, run, deadline=PAST, wake_at=PAST)
    run = house.run(run)
    assert run.state == RunState.EXPIRED
    assert house.steps(run)[1].state == "refused"


def test_a_child_that_ends_while_its_parent_begins_to_wait_wakes_it(
    house: Any, say: Any, call: Any, add_agent: Any, monkeypatch: Any
) -> None:
    add_agent("writer", [])
    boss = add_agent("boss", ["writer"])
    house.model.answers = {"boss": [call("delegate.writer", task="a"), say("Done.")], "writer": [say("Written.")]}
    run = house.start(agent=boss)
    (child,) = engine.advance(run.id)
    # The parent is taken once more, finds the child alive, and the child ends before the parent waits again.
    set_run(house, run, state="queued", waits_for="", waits_on=None)
    real = engine.outcomes_of

    def meanwhile(steps: Any) -> Any:
        outcomes = real(steps)
        if outcomes is None:
            monkeypatch.setattr(engine, "outcomes_of", real)
            assert engine.advance(child) == []
        return outcomes

    monkeypatch.setattr(engine, "outcomes_of", meanwhile)
    bells = engine.advance(run.id)
    assert bells == [run.id]
    assert house.run(run).state == RunState.SUCCEEDED


def test_two_calls_with_one_id_are_two_calls(house: Any, say: Any, call: Any) -> None:
    two = [*call("witness.idempotent", note="a"), *call("witness.idempotent", note="b")]
    for item in two:
        item["call_id"] = "same"
    house.model.answers = {"worker": [two, two, say("Done.")]}
    assert house.run(house.start()).state == RunState.SUCCEEDED
    assert [line[2] for line in house.lines()] == ["a", "b"]


HOSTILE = ['{"note": NaN}', '{"note": "x", "amount": 99999999999999999999}', "[" * 100_000, '{"note": "\\u0000"}',
           '{"note": "\\ud800"}', "null", '"x"', "{", '{"note": 1e999}']  # fmt: skip


@pytest.mark.parametrize("arguments", HOSTILE, ids=range(len(HOSTILE)))
def test_no_answer_of_a_model_stops_the_engine(house: Any, say: Any, call: Any, arguments: str) -> None:
    wish = call("witness.idempotent", note="x")
    wish[0] |= {"arguments": arguments}
    named = call("x" * 300 + "\x00", note="x")
    named[0]["call_id"] = ""
    house.model.answers = {"worker": [wish, named, say("Done.\x00\ud800")]}
    run = house.run(house.start())
    assert run.state == RunState.SUCCEEDED, run.failure
    assert [step.state for step in house.steps(run)][1] in {"refused", "succeeded"}
    assert run.crashes == 0


class OneRun(RuleBasedStateMachine):
    """Two workers, the clock, a canceller and approvers, in any order, on one run that asks first."""

    house: Any
    turns: list[Any]

    @initialize()
    def begin(self) -> None:
        self.house.model.answers = {"worker": self.turns}
        self.run = self.house.start()
        self.ended: str | None = None
        self.leases: list[Any] = []

    def row(self) -> Run:
        return self.house.read(self.run)

    @rule()
    def work(self) -> None:
        engine.advance(self.run.id)

    @rule()
    def take_and_die(self) -> None:
        lease = claim(self.run.id, "doomed")
        if lease is not None:
            self.leases.append(lease)
            set_run(self.house, self.run, lease_until=PAST)

    @precondition(lambda self: self.leases)
    @rule()
    def write_late(self) -> None:
        lease = self.leases[-1]
        mine = self.row()
        try:
            with engine_transaction() as cursor:
                hold(cursor, lease, 30, Change(), events=0)
        except StaleLeaseError:
            assert (mine.fence, mine.state) != (lease.fence, "running")
        else:
            assert (mine.fence, mine.state) == (lease.fence, "running")
            set_run(self.house, self.run, lease_until=PAST)

    @rule()
    def cancel(self) -> None:
        try:
            cancel(self.house, self.run)
        except ConflictError:
            assert self.row().state in ENDED

    def answer(self, verb: Any, **given: Any) -> None:
        with self.house.in_tenant():
            request = ApprovalRequest.objects.filter(run=self.run).order_by("-id").first()
        if request is None:
            return
        try:
            with self.house.in_tenant():
                verb(actor=self.house.approver, request=request, **given)
        except ConflictError:
            pass

    @rule()
    def say_yes(self) -> None:
        with self.house.in_tenant():
            request = ApprovalRequest.objects.filter(run=self.run).order_by("-id").first()
        self.answer(approve, digest=request.digest if request else "")

    @rule()
    def say_no(self) -> None:
        self.answer(deny, reason="No.")

    @rule()
    def expire(self) -> None:
        set_run(self.house, self.run, deadline=PAST)
        with self.house.in_tenant():
            Run.objects.filter(pk=self.run.pk, state="waiting").update(wake_at=PAST)

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        if not hasattr(self, "run"):
            return
        row = self.row()
        if self.ended is not None:
            assert row.state == self.ended
        if row.state in ENDED:
            self.ended = row.state
            assert self.house.events(self.run)[-1] == f"run.{row.state}"
        assert len([line for line in self.house.lines() if str(self.run.id) in line[1]]) <= 1

    def teardown(self) -> None:
        """However it went, the run comes to its end: no wake-up was lost."""
        if not hasattr(self, "run"):
            return
        for _ in range(6):
            row = self.row()
            if row.state in ENDED:
                break
            if row.state == "waiting":
                assert row.waits_for == "approval", row.waits_for
                with self.house.in_tenant():
                    request = ApprovalRequest.objects.get(pk=row.waits_on)
                assert request.state == "waiting", "it waits for what was answered"
                self.answer(deny, reason="No.")
            engine.advance(self.run.id)
        assert self.row().state in ENDED
        self.what_has_ended_stays_so()


@pytest.mark.slow
def test_no_order_of_workers_and_people_loses_or_resurrects_a_run(make_house: Any, say: Any, call: Any) -> None:
    place = make_house(ASK_FIRST, budget=10**12)

    class Here(OneRun):
        house, turns = place, [call("witness.effect", note="once"), say("Done.")]

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=20, stateful_step_count=10, deadline=None,
                          suppress_health_check=list(HealthCheck)),
    )  # fmt: skip
