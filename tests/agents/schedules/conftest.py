"""A house with a schedule whose moments passed as a test wishes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.runs.models import Run
from agents.schedules.engine import fire_all
from agents.schedules.models import Firing, Schedule
from agents.schedules.plans import Plan
from agents.schedules.services import create_schedule, run_now
from tests.houses import House

MINUTELY = Plan(name="Round", kind="cron", expression="* * * * *", input="Look around", time_zone="Europe/Berlin")


class Rota:
    """The schedules of a house: made, put back in time, ticked, and looked at."""

    def __init__(self, house: House) -> None:
        self.house = house

    def make(self, missed: int = 0, **changes: Any) -> Schedule:
        """A schedule (every minute unless said otherwise) of which so many minutes passed unseen."""
        with self.house.in_tenant():
            schedule = create_schedule(
                actor=self.house.owner, agent=self.house.agent, plan=replace(MINUTELY, **changes)
            )
        return self.wind_back(schedule, missed) if missed else schedule

    def wind_back(self, schedule: Schedule, minutes: int) -> Schedule:
        """Since so many whole minutes it should have been carried out."""
        since = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes - 1)
        with self.house.in_tenant():
            Schedule.objects.filter(pk=schedule.pk).update(next_at=since, starts_at=since - timedelta(days=1))
        return self.read(schedule)

    def wind_back_one(self, schedule: Schedule) -> None:
        """Another moment, the next after the last one that was carried out, has come."""
        last = self.firings(schedule)[-1].due_at
        with self.house.in_tenant():
            firings = Firing.objects.filter(schedule=schedule)
            # The clock cannot be moved on, so what was is moved back.
            for firing in firings.order_by("due_at"):
                firings.filter(pk=firing.pk).update(due_at=firing.due_at - timedelta(minutes=1))
            for run in Run.objects.exclude(submission=None):
                Run.objects.filter(pk=run.pk).update(submission=f"{run.submission}-")
            Schedule.objects.filter(pk=schedule.pk).update(next_at=last)

    def rest(self, schedule: Schedule) -> None:
        """Let no other moment come."""
        with self.house.in_tenant():
            Schedule.objects.filter(pk=schedule.pk).update(next_at=None)

    def run_now(self, schedule: Schedule) -> Run:
        """By hand."""
        with self.house.in_tenant():
            return run_now(actor=self.house.owner, schedule=schedule)

    def tick(self) -> None:
        """What the clock's tick does."""
        fire_all()

    def read(self, schedule: Schedule) -> Schedule:
        """As it stands."""
        with self.house.in_tenant():
            return Schedule.objects.get(pk=schedule.pk)

    def firings(self, schedule: Schedule) -> list[Firing]:
        """In the order of their moments."""
        with self.house.in_tenant():
            return list(Firing.objects.filter(schedule=schedule).order_by("due_at"))

    def states(self, schedule: Schedule) -> list[str]:
        """What became of each moment, in order."""
        return [firing.state for firing in self.firings(schedule)]

    def runs(self) -> list[Run]:
        """All runs of the house, in the order in which they were started."""
        with self.house.in_tenant():
            return list(Run.objects.order_by("id"))

    def finish(self, run: Run) -> None:
        """Let it come to its end."""
        assert self.house.run(run).state in {"succeeded", "cancelled"}


@pytest.fixture
def rota(house: House, say: Callable[..., Any]) -> Rota:
    """The schedules of the usual house, whose model always has the last word at once."""
    house.model.answers = {"worker": [say("All is well.")]}
    return Rota(house)
