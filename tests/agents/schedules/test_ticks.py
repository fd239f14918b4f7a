"""A tick: each moment once, whatever is raced, killed or spoilt."""

import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

import agents.schedules.engine
from agents.runs.models import Run
from agents.runs.services import start_run
from agents.schedules.engine import fire, ready
from agents.schedules.models import Firing, Schedule
from agents.schedules.services import disable_schedule
from agents.schedules.tasks import tick
from foundation.audit.models import AuditEntry
from foundation.identity.models import Principal
from foundation.identity.services import suspend_principal
from tests.agents.schedules.conftest import Rota
from tests.houses import House


def test_a_moment_that_has_come_starts_a_run_in_the_owners_name(rota: Rota) -> None:
    schedule = rota.make(missed=1)
    rota.tick()
    (firing,) = rota.firings(schedule)
    (run,) = rota.runs()
    assert (firing.state, firing.run_id, firing.due_at) == ("started", run.id, schedule.next_at)
    assert (run.requester_id, run.source, run.title, run.input) == (
        rota.house.owner.principal, "schedule", "Round", "Look around",
    )  # fmt: skip
    assert run.submission == f"schedule:{schedule.id}:{firing.due_at.isoformat()}"
    assert run.input_label["integrity"] == "untrusted"
    after = rota.read(schedule).next_at
    assert after is not None
    assert datetime.now(UTC) < after <= datetime.now(UTC) + timedelta(minutes=1)
    rota.finish(run)


def test_before_its_moment_nothing_happens(rota: Rota) -> None:
    schedule = rota.make()
    rota.tick()
    assert rota.firings(schedule) == []
    assert rota.runs() == []


def test_once_is_over_afterwards(rota: Rota) -> None:
    schedule = rota.make(kind="once", expression="", starts_at=datetime.now(UTC) + timedelta(days=1))
    passed = datetime.now(UTC) - timedelta(seconds=5)
    with rota.house.in_tenant():
        Schedule.objects.filter(pk=schedule.pk).update(next_at=passed, starts_at=passed)
    rota.tick()
    rota.tick()
    assert rota.states(schedule) == ["started"]
    assert rota.read(schedule).next_at is None


def test_a_disabled_one_rests(rota: Rota) -> None:
    schedule = rota.make(missed=3)
    with rota.house.in_tenant():
        disable_schedule(actor=rota.house.owner, schedule=schedule)
    rota.tick()
    assert rota.firings(schedule) == []


@pytest.mark.parametrize("ticks", [2, 5])
def test_schedulers_side_by_side_start_each_moment_once(rota: Rota, ticks: int) -> None:
    schedules = [rota.make(missed=4, name=f"Round {number}", overlap="allow", catch_up="all") for number in range(6)]
    gate = threading.Barrier(ticks)
    problems: list[BaseException] = []

    def one() -> None:
        try:
            gate.wait()
            tick()
        except BaseException as error:  # noqa: BLE001 - told by the test
            problems.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(ticks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    rota.tick()  # what each of them passed over because another one held it
    for schedule in schedules:
        assert rota.states(schedule) == ["started"] * len(rota.firings(schedule))
        assert len(rota.firings(schedule)) in {4, 5}  # a minute may have begun meanwhile
    runs = rota.runs()
    assert len(runs) == sum(len(rota.firings(schedule)) for schedule in schedules)
    assert len({run.submission for run in runs}) == len(runs)


def test_a_schedule_that_another_scheduler_holds_is_passed_over(rota: Rota) -> None:
    held, free = rota.make(missed=1, name="Held"), rota.make(missed=1, name="Free")
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with rota.house.in_tenant():
            Schedule.objects.select_for_update().get(pk=held.pk)
            locked.set()
            done.wait(60)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(30)
    rota.tick()
    assert rota.states(free) == ["started"]
    done.set()
    thread.join(30)
    assert rota.states(held) == []
    rota.tick()
    assert rota.states(held) == ["started"]


def killed_in(act: Callable[[], None]) -> None:
    """Do something in a process that dies of it by SIGKILL."""
    connections.close_all()
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(1)  # it should not have come so far
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["before the run", "after the run", "before the commit"])
def test_a_killed_scheduler_loses_nothing_and_doubles_nothing(
    rota: Rota, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = rota.make(missed=3, overlap="allow", catch_up="all")

    def die(*_given: Any, **_named: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def start_and_die(**named: Any) -> Run:
        start_run(**named)
        die()
        raise AssertionError

    place, replacement = {
        "before the run": ("start_run", die),
        "after the run": ("start_run", start_and_die),
        "before the commit": ("upcoming", die),
    }[moment]
    with monkeypatch.context() as patched:
        patched.setattr(agents.schedules.engine, place, replacement)
        killed_in(tick)
    assert rota.firings(schedule) == []
    assert rota.runs() == []
    assert rota.read(schedule).next_at == schedule.next_at
    rota.tick()
    assert set(rota.states(schedule)) == {"started"}
    assert [run.submission for run in rota.runs()] == [
        f"schedule:{schedule.id}:{firing.due_at.isoformat()}" for firing in rota.firings(schedule)
    ]
    rota.tick()
    assert len(rota.runs()) == len(rota.firings(schedule))


def test_a_lost_connection_is_made_up_for(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = rota.make(missed=1)

    def cut(**named: Any) -> Run:
        run = start_run(**named)
        connections["default"].connection.close()
        return run

    with monkeypatch.context() as patched:
        patched.setattr(agents.schedules.engine, "start_run", cut)
        rota.tick()
    assert rota.runs() == []
    rota.tick()
    assert rota.states(schedule) == ["started"]


def test_a_spoilt_schedule_stops_no_other(rota: Rota) -> None:
    spoilt, sound = rota.make(missed=9, name="Spoilt"), rota.make(missed=1, name="Sound")
    with rota.house.in_tenant():
        Schedule.objects.filter(pk=spoilt.pk).update(time_zone="Europe/Atlantis")
    rota.tick()
    assert rota.states(sound) == ["started"]
    found = rota.read(spoilt)
    assert "Europe/Atlantis" in found.problem
    assert found.next_at is None
    assert rota.states(spoilt) == ["failed"]
    rota.tick()
    assert rota.states(spoilt) == ["failed"]


def test_what_nobody_foresaw_is_told_and_the_next_moment_comes(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = rota.make(missed=1)

    def fail(**_named: Any) -> Run:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(agents.schedules.engine, "start_run", fail)
        rota.tick()
    (firing,) = rota.firings(schedule)
    assert (firing.state, "ZeroDivisionError" in firing.reason) == ("failed", True)
    rota.wind_back(schedule, 1)
    with rota.house.in_tenant():
        Firing.objects.all().delete()
    rota.tick()
    assert rota.states(schedule) == ["started"]
    assert rota.read(schedule).problem == ""


def test_what_nobody_foresaw_in_the_queue_spoils_no_moment_to_come(rota: Rota, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = rota.make(missed=2, overlap="queue", catch_up="all")
    rota.tick()
    rota.finish(rota.runs()[0])
    with rota.house.in_tenant():
        later = datetime.now(UTC) + timedelta(hours=1)
        Schedule.objects.filter(pk=schedule.pk).update(next_at=later.replace(second=0, microsecond=0))
    before = rota.read(schedule).next_at

    def fail(**_named: Any) -> Run:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(agents.schedules.engine, "start_run", fail)
        rota.tick()
    assert rota.states(schedule)[0] == "started"
    assert set(rota.states(schedule)[1:]) == {"failed"}
    assert rota.read(schedule).next_at == before
    assert all(one.due_at < datetime.now(UTC) for one in rota.firings(schedule)), "what is to come stands open"


def test_a_suspended_owner_starts_nothing(rota: Rota) -> None:
    schedule = rota.make(missed=1)
    house = rota.house
    with house.in_tenant():
        owner = Principal.objects.get(pk=house.owner.principal)
        suspend_principal(actor=house.approver, principal=owner, reason="Gone.")
    rota.tick()
    (firing,) = rota.firings(schedule)
    assert (firing.state, firing.run_id) == ("failed", None)
    assert "Olga Owner, in whose name it starts, is suspended" in firing.reason
    assert rota.read(schedule).problem == firing.reason
    with house.in_tenant():
        told = AuditEntry.objects.get(action="schedule.fail", target_id=schedule.id)
    assert (told.outcome, told.reason) == ("failed", firing.reason)


def test_ready_names_what_is_due_and_nothing_else(rota: Rota, make_house: Callable[..., House]) -> None:
    due, _later = rota.make(missed=1), rota.make(name="Later")
    other = Rota(make_house()).make(missed=1)
    mine = {(one.id, one.organisation_id) for one in (due, other)}
    assert mine <= set(ready())
    assert (_later.id, _later.organisation_id) not in ready()
    fire(due.id, due.organisation_id)
    assert (due.id, due.organisation_id) not in ready()


def test_the_same_problem_is_told_once(rota: Rota) -> None:
    house, schedule = rota.house, rota.make(missed=3, overlap="allow", catch_up="all")
    with house.in_tenant():
        owner = Principal.objects.get(pk=house.owner.principal)
        suspend_principal(actor=house.approver, principal=owner, reason="Gone.")
    rota.tick()
    assert set(rota.states(schedule)) == {"failed"}
    with house.in_tenant():
        assert AuditEntry.objects.filter(action="schedule.fail", target_id=schedule.id).count() == 1
