"""A run that kills its workers is stopped; those that were with it are not stopped for what it did."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.runs.engine import work_on
from agents.runs.models import Run
from agents.runs.taking import take
from tests.clusters import own_cluster
from tests.workers import Worker, end_all_runs, superuser, until

ELSEWHERE, HERE = "elsewhere:1", "here:1"
PAST = "2020-01-01T00:00Z"
INNOCENT = 6
LONG = 1.0  # seconds; longer than the poisonous run needs to do its work


def lost(house: Any, crashes: int, many: int) -> list[Run]:
    """Runs whose worker has died so often before, and once more now."""
    runs = [house.start(f"run {number}") for number in range(many)]
    with house.in_tenant():
        Run.objects.filter(pk__in=[run.pk for run in runs]).update(state="running", lease_until=PAST, crashes=crashes)
    return runs


def taken(more: int = 32) -> list[Any]:
    return [one.run.id for one in take(HERE, 60, more=more)]


def gets_further(run: Any) -> None:
    with superuser() as database:
        database.execute("UPDATE runs_run SET crashes = 0 WHERE id = %s", [run])


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """What others have left is over, and so is what is left to others: they would wait for it."""
    end_all_runs()
    yield
    end_all_runs()


@pytest.mark.parametrize(("crashes", "together"), [(0, 20), (1, 8), (2, 4), (3, 2), (4, 1), (5, 20)])
def test_the_more_often_they_crashed_the_fewer_are_taken_together(house: Any, crashes: int, together: int) -> None:
    """Once is nothing; and those that are stopped now are not worked on any more."""
    lost(house, crashes, 20)
    first = taken()
    assert len(first) == together
    if together < 20:
        assert taken() == []
        assert len(take(ELSEWHERE, 60, more=32)) == together, "another worker has as many"
        gets_further(first[0])
        assert len(taken()) == 1


def test_others_are_taken_beside_them(house: Any) -> None:
    suspects, others = lost(house, 3, 4), [house.start(f"other {number}") for number in range(4)]
    assert set(taken()) == {*(run.id for run in suspects[:2]), *(run.id for run in others)}


def test_none_is_taken_beside_one_that_would_be_stopped_after_the_next(house: Any) -> None:
    (suspect,), others = lost(house, 4, 1), [house.start(f"other {number}") for number in range(4)]
    assert taken() == [suspect.id]
    assert take(HERE, 60, [others[0].id], more=32) == []
    gets_further(suspect.id)
    assert set(taken()) == {run.id for run in others}


def test_a_bell_for_one_is_heard_when_it_has_its_turn(house: Any) -> None:
    first, second = lost(house, 4, 2)
    assert [one.run.id for one in take(HERE, 60, [second.id])] == [second.id]
    assert take(HERE, 60, [first.id]) == []
    gets_further(second.id)
    assert [one.run.id for one in take(HERE, 60, [first.id])] == [first.id]


def test_a_bell_for_one_takes_no_other(house: Any) -> None:
    first, second = lost(house, 1, 2)
    assert [one.run.id for one in take(HERE, 60, [second.id])] == [second.id]
    assert [one.run.id for one in take(HERE, 60, [first.id])] == [first.id]


def test_no_more_are_taken_than_there_is_room_for(house: Any) -> None:
    suspects, others = lost(house, 1, 3), [house.start(f"other {number}") for number in range(6)]
    assert len(take(HERE, 60, [others[0].id, suspects[0].id], more=3)) <= 5
    assert len(taken(more=2)) == 2


def test_one_of_them_may_follow_another_run(house: Any, say: Any) -> None:
    house.model.answers = {"worker": [say("Done.")]}
    first = house.start("first")
    (begun,) = take(HERE, 60, [first.id])
    (suspect,), _other = lost(house, 2, 1), house.start("other")
    _, following = work_on(begun, lambda: True)
    assert following is not None
    assert (following.run.id, following.lease.crashes) == (suspect.id, 3)


@pytest.mark.slow
def test_a_poisonous_run_is_stopped_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, say: Any, tmp_path: Path
) -> None:
    """It kills its worker whenever it asks its model, before the others' calls are answered."""
    with own_cluster(monkeypatch, {}):
        house = make_house(budget=10**12)
        worker = Worker(tmp_path, house.model.url.split("/")[2], REMIT_RUN_MAX_CRASHES="3")
        kills, killed = 0, threading.Event()

        def answer(request: dict[str, Any]) -> Any:
            nonlocal kills
            if "poison" in str(request["input"]):
                kills += 1
                assert worker.process is not None
                worker.process.kill()
                killed.set()
            killed.wait(LONG)
            return say("Done.")

        monkeypatch.setattr(house.model, "answer", answer)
        texts = [*(f"innocent {number}" for number in range(INNOCENT // 2)), "poison",
                 *(f"innocent {number}" for number in range(INNOCENT // 2, INNOCENT))]  # fmt: skip
        runs = {text: house.start(text) for text in texts}

        def over() -> bool:
            if not worker.is_alive:
                killed.clear()
                worker.start()
            return all(map(house.is_over, runs.values()))

        try:
            until(over, 300, worker.last_words)
        finally:
            worker.kill()
        ended = {text: house.read(run) for text, run in runs.items()}
    assert {run.state for text, run in ended.items() if text != "poison"} == {"succeeded"}, ended
    assert (ended["poison"].state, kills) == ("failed", 4)
    assert "worker died 4 times" in ended["poison"].failure
