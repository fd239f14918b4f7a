"""A run that leaves its worker makes room for another one, which is taken with the same commit."""

import threading
from typing import Any

import pytest
from django.db import connections

from agents.runs.engine import work_on
from agents.runs.leases import keeper
from agents.runs.models import Run, Session
from agents.runs.services import start_run
from agents.runs.taking import Taken, take
from tests.workers import superuser

ELSEWHERE = "elsewhere:1"


def begin(run: Run) -> Taken:
    return take(keeper.worker, 60, [run.id])[0]


def go_on() -> bool:
    return True


@pytest.fixture(autouse=True)
def _ready(house: Any, say: Any) -> None:
    """Every run is over after one answer; what others have left is in the hands of another worker."""
    house.model.answers = {"worker": [say("Done.")]}
    while take(ELSEWHERE, 600, more=500):
        pass


def test_the_oldest_that_is_queued_follows(house: Any) -> None:
    runs = [house.start(f"run {number}") for number in range(3)]
    _, following = work_on(begin(runs[0]), go_on)
    assert following is not None
    assert following.run.id == runs[1].id
    assert following.run == Run.objects.using("engine").get(pk=runs[1].id)
    assert (following.run.state, following.run.worker, following.lease.fence) == ("running", keeper.worker, 1)
    assert [house.read(run).state for run in runs] == ["succeeded", "running", "queued"]
    _, last = work_on(following, go_on)
    assert last is not None
    assert last.run.id == runs[2].id
    assert work_on(last, go_on)[1] is None
    assert {house.read(run).state for run in runs} == {"succeeded"}


def test_all_that_the_rows_say_is_known_of_it(house: Any) -> None:
    given = {"mail": "ä und ß", "amount": 2**40, "rate": 1.5, "nothing": None, "vast": 10**40}
    runs = [house.start("first")]
    with house.in_tenant():
        runs.append(start_run(actor=house.owner, agent=house.agent, title="Ein Gruß", input=given))
    _, following = work_on(begin(runs[0]), go_on)
    assert following is not None
    run, session = Run.objects.using("engine").get(pk=runs[1].id), Session.objects.using("engine").get(
        pk=runs[1].session_id
    )  # fmt: skip
    for known, row in ((following.run, run), (following.session, session)):
        for column in row._meta.concrete_fields:
            assert getattr(known, column.attname) == getattr(row, column.attname), column.attname


def test_one_whose_worker_was_lost_comes_first_with_its_journal(house: Any) -> None:
    runs = [house.start(f"run {number}") for number in range(3)]
    house.model.fail_with = [429]
    assert house.run(runs[2]).waits_for == "timer"
    with superuser() as database:
        database.execute(
            "UPDATE runs_run SET state = 'running', lease_until = now() - interval '1 second' WHERE id = %s",
            [runs[2].id],
        )
    _, following = work_on(begin(runs[0]), go_on)
    assert following is not None
    assert following.run.id == runs[2].id
    assert following.lease.crashes == 1
    _, last = work_on(following, go_on)
    assert [step.state for step in house.steps(runs[2])] == ["failed", "succeeded"]
    assert last is not None
    assert last.run.id == runs[1].id


def test_one_that_cannot_be_read_spoils_nobody(house: Any) -> None:
    runs = [house.start(f"run {number}") for number in range(2)]
    with superuser() as database:
        written = "UPDATE runs_run SET input = %s::jsonb WHERE id = %s"
        database.execute(written, [f'{{"n": {"9" * 5_000}}}', runs[1].id])
        try:
            assert work_on(begin(runs[0]), go_on) == ([], None)
        finally:
            database.execute(written, ["{}", runs[1].id])
    assert (house.read(runs[0]).state, house.read(runs[0]).crashes) == ("succeeded", 0)
    assert house.read(runs[1]).state == "running", "its lease runs out"


def test_none_follows_while_the_worker_is_about_to_end(house: Any) -> None:
    runs = [house.start(f"run {number}") for number in range(2)]
    assert work_on(begin(runs[0]), lambda: False) == ([], None)
    assert house.read(runs[1]).state == "queued"


def test_two_workers_never_take_the_same(house: Any) -> None:
    runs = [house.start(f"run {number}") for number in range(24)]
    done: list[Any] = []

    def work(first: Run) -> None:
        following: Taken | None = begin(first)
        while following is not None:
            done.append(following.run.id)
            _, following = work_on(following, go_on)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(run,)) for run in runs[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == sorted(run.id for run in runs)
    assert {house.read(run).fence for run in runs} == {1}
    assert {house.read(run).state for run in runs} == {"succeeded"}
