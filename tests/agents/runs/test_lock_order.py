"""Whoever locks several runs does so from the root downwards, and among brothers by their ids: nobody deadlocks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from agents.runs import committer
from agents.runs.children import cancel_below
from agents.runs.control import pause_run
from agents.runs.entries import Commit
from agents.runs.journal import engine_transaction
from agents.runs.models import Run
from agents.runs.taking import take
from agents.runs.waits import wake_for_budget
from agents.runs.work import load
from tests.workers import superuser, until

HERE = "here:1"
_WAITS = "SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"


@pytest.fixture
def family(house: Any) -> list[Run]:
    """A run, and below it, in the order of the locks: two children, and the child of the first, whose id is between."""
    parent, first, grandchild, second = (house.start(f"run {number}") for number in range(4))
    with house.in_tenant():
        for run, above, depth in ((grandchild, first, 2), (second, parent, 1), (first, parent, 1)):
            # In the table they stand in the order of what was last written: no plan finds the right one by chance.
            Run.objects.filter(pk=run.pk).update(parent=above, depth=depth)
    return [parent, first, second, grandchild]


def commit_together(_: Any, family: list[Run]) -> Callable[[], None]:
    taken = sorted(take(HERE, 60, [run.id for run in family]), key=lambda one: one.run.id)
    commits = [Commit(work=load(one)) for one in reversed(taken)]
    return lambda: committer._write(commits)


def pause(house: Any, family: list[Run]) -> Callable[[], None]:
    def act() -> None:
        with house.in_tenant():
            pause_run(actor=house.owner, run=family[0])

    return act


def wake(house: Any, family: list[Run]) -> Callable[[], None]:
    with house.in_tenant():
        for run in reversed(family):
            Run.objects.filter(pk=run.pk).update(state="waiting", waits_for="budget", waits_on=house.agent.id)

    def act() -> None:
        with house.in_tenant():
            wake_for_budget(house.agent.id)

    return act


def cancel(_: Any, family: list[Run]) -> Callable[[], None]:
    def act() -> None:
        with engine_transaction() as cursor:
            cancel_below(cursor, family[0].id)

    return act


def free(run: UUID) -> bool:
    """Whether nobody has a run's row."""
    with superuser() as database:
        rows = database.execute("SELECT FROM runs_run WHERE id = %s FOR UPDATE SKIP LOCKED", [run]).fetchall()
    return bool(rows)


@pytest.mark.parametrize("act", [commit_together, pause, wake, cancel])
@pytest.mark.parametrize("held", [1, 2])
def test_what_comes_later_in_the_order_is_not_locked_before(
    house: Any, family: list[Run], act: Callable[[Any, list[Run]], Callable[[], None]], held: int
) -> None:
    """It waits for a child that somebody else has, and has none that comes behind it."""
    do = act(house, family)

    def work() -> None:
        try:
            do()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with superuser() as database, database.transaction():
            database.execute("SELECT FROM runs_run WHERE id = %s FOR NO KEY UPDATE", [family[held].pk])
            doing = pool.submit(work)
            until(lambda: database.execute(_WAITS).fetchall(), 20, lambda: "nobody waits")
            behind = [free(run.id) for run in family[held + 1 :]]
        doing.result(20)
    assert all(behind)
