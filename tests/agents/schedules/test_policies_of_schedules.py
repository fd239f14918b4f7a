"""What was missed, and what meets a run that has not ended."""

from datetime import UTC, datetime, timedelta

import pytest

from agents.runs.services import cancel_run
from agents.schedules.choices import LATE, MOST, chosen
from agents.schedules.models import Firing, Schedule
from agents.schedules.moments import Due
from agents.schedules.services import disable_schedule
from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.organisations.models import GrantTarget
from tests.agents.schedules.conftest import Rota

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
FIVE = [NOW - timedelta(minutes=minutes, seconds=30) for minutes in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("catch_up", "left"), [("skip", [0, 0, 0, 0, 1]), ("latest", [0, 0, 0, 0, 1]), ("all", [1, 1, 1, 1, 1])]
)
def test_what_was_missed(catch_up: str, left: list[int]) -> None:
    found = list(chosen(catch_up, Due(FIVE, older=False), FIVE[0], NOW))
    assert [moment for moment, _ in found] == FIVE
    assert [not reason for _, reason in found] == [bool(one) for one in left]


def test_skipping_leaves_out_the_newest_too_when_it_is_late() -> None:
    late = NOW + LATE
    assert all(reason for _, reason in chosen("skip", Due(FIVE, older=False), FIVE[0], late))
    assert [not reason for _, reason in chosen("latest", Due(FIVE, older=False), FIVE[0], late)][-1]


def test_what_is_older_than_the_newest_hundred_is_told_once() -> None:
    oldest = NOW - timedelta(days=365)
    (first, reason), *rest = chosen("all", Due(FIVE, older=True), oldest, NOW)
    assert (first, str(MOST) in reason) == (oldest, True)
    assert [moment for moment, _ in rest] == FIVE


@pytest.mark.parametrize(
    ("catch_up", "before", "last"), [("skip", "skipped", "started"), ("latest", "skipped", "started"),
                                     ("all", "started", "started")]
)  # fmt: skip
def test_after_an_absence(rota: Rota, catch_up: str, before: str, last: str) -> None:
    schedule = rota.make(missed=5, catch_up=catch_up, overlap="allow")
    rota.tick()
    *others, newest = rota.states(schedule)
    assert len(others) in {4, 5}
    assert set(others) == {before}
    assert newest == last
    assert len(rota.runs()) == rota.states(schedule).count("started")


def test_a_year_of_absence_is_bounded(rota: Rota) -> None:
    schedule = rota.make(missed=365 * 24 * 60, catch_up="latest")
    rota.tick()
    states = rota.states(schedule)
    assert states == ["skipped"] * MOST + ["started"]
    assert rota.firings(schedule)[0].due_at == schedule.next_at


def test_overlap_skip_leaves_it_out(rota: Rota) -> None:
    schedule = rota.make(missed=1)
    rota.tick()
    rota.wind_back_one(schedule)
    rota.tick()
    first, second = rota.firings(schedule)
    assert (first.state, second.state) == ("started", "skipped")
    assert second.reason == "The former run had not ended."
    rota.finish(rota.runs()[0])
    rota.wind_back_one(schedule)
    rota.tick()
    assert rota.states(schedule) == ["started", "skipped", "started"]


def test_overlap_allow_runs_both(rota: Rota) -> None:
    schedule = rota.make(missed=1, overlap="allow")
    rota.tick()
    rota.wind_back_one(schedule)
    rota.tick()
    assert rota.states(schedule) == ["started", "started"]
    assert len(rota.runs()) == 2


def test_overlap_queue_runs_one_after_the_other_and_forgets_none(rota: Rota) -> None:
    schedule = rota.make(missed=4, overlap="queue", catch_up="all")
    rota.tick()
    moments = len(rota.firings(schedule))
    assert rota.states(schedule) == ["started"] + ["queued"] * (moments - 1)
    rota.rest(schedule)
    for done in range(1, moments):
        rota.tick()
        assert rota.states(schedule).count("started") == done, "nothing starts before the former has ended"
        rota.finish(rota.runs()[-1])
        rota.tick()
        assert rota.states(schedule).count("started") == done + 1
    runs = rota.runs()
    assert [run.submission for run in runs] == [
        f"schedule:{schedule.id}:{one.due_at.isoformat()}" for one in rota.firings(schedule)
    ]


def test_the_queue_wakes_when_the_former_is_cancelled(rota: Rota) -> None:
    schedule = rota.make(missed=2, overlap="queue", catch_up="all")
    rota.tick()
    rota.rest(schedule)
    (former,) = rota.runs()
    with rota.house.in_tenant():
        cancel_run(actor=rota.house.owner, run=former)
    rota.tick()
    assert len(rota.runs()) == 1, "it has not ended yet"
    rota.finish(former)
    rota.tick()
    assert rota.states(schedule)[:2] == ["started", "started"]


def test_the_queue_is_bounded(rota: Rota) -> None:
    schedule = rota.make(missed=MOST + 20, overlap="queue", catch_up="all")
    rota.tick()
    rota.wind_back_one(schedule)
    rota.tick()
    rota.wind_back_one(schedule)
    rota.tick()
    states = rota.states(schedule)
    assert states.count("queued") == MOST
    assert "in the queue already" in rota.firings(schedule)[-1].reason


def test_disabling_empties_the_queue(rota: Rota) -> None:
    schedule = rota.make(missed=3, overlap="queue", catch_up="all")
    rota.tick()
    with rota.house.in_tenant():
        disable_schedule(actor=rota.house.owner, schedule=schedule)
    rota.finish(rota.runs()[0])
    rota.tick()
    assert set(rota.states(schedule)) == {"started", "skipped"}
    assert len(rota.runs()) == 1


def test_overlap_replace_cancels_the_former(rota: Rota) -> None:
    schedule = rota.make(missed=1, overlap="replace")
    rota.tick()
    rota.wind_back_one(schedule)
    rota.tick()
    former, later = rota.runs()
    assert (former.cancel_requested, later.cancel_requested) == (True, False)
    assert rota.states(schedule) == ["started", "started"]
    rota.finish(former)
    assert rota.house.read(former).state == "cancelled"


def test_replacing_needs_the_right_to_cancel(rota: Rota) -> None:
    """The owner lost what cancelling needs: nothing is cancelled, nothing starts, and it is told."""
    house, schedule = rota.house, rota.make(missed=1, overlap="replace")
    rota.tick()
    with house.in_tenant():
        Grant.objects.filter(principal_id=house.owner.principal).delete()
        root = GrantTarget.objects.get(pk=house.organisation.id)
        grant(actor=house.approver, principal=Schedule.objects.get(pk=schedule.pk).owner, role="viewer", target=root)
    rota.wind_back_one(schedule)
    rota.tick()
    assert rota.states(schedule) == ["started", "failed"]
    assert "does not hold" in rota.read(schedule).problem
    assert [run.cancel_requested for run in rota.runs()] == [False]


def test_a_run_started_by_hand_counts_as_the_former(rota: Rota) -> None:
    schedule = rota.make()
    rota.run_now(schedule)
    rota.wind_back(schedule, 1)
    with rota.house.in_tenant():
        assert Firing.objects.get(schedule=schedule).state == "started"
    rota.tick()
    assert "skipped" in rota.states(schedule)
