"""`GET /workers`: the processes that do the work, and the queue of one's own organisation."""

from typing import Any

from agents.runs.models import Run
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import bare, world
from tests.foundation.api.world import World
from tests.workers import superuser

__all__ = ["bare", "world"]


def beat(name: str, age: str, **values: Any) -> None:
    """A worker that was heard of so long ago."""
    with superuser() as database:
        database.execute(
            "INSERT INTO runs_heartbeat (name, kind, seen_at, slots, busy, draining, release) VALUES "
            "(%s, 'worker', now() - %s::interval, 16, 3, %s, '1.0') ON CONFLICT (name) DO NOTHING",
            [name, age, values.get("draining", False)],
        )


def shown(world: World, role: str = "administrator") -> dict[str, Any]:
    answer = world.api(role).get("/workers")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_workers_are_shown_with_what_they_do(world: World) -> None:
    beat("lively:1", "1 s")
    beat("silent:2", "10 min")
    beat("leaving:3", "1 s", draining=True)
    found = {one["name"]: one for one in shown(world)["workers"]}
    assert [found[name]["alive"] for name in ("lively:1", "silent:2", "leaving:3")] == [True, False, True]
    assert [found[name]["draining"] for name in ("lively:1", "leaving:3")] == [False, True]
    assert (found["lively:1"]["slots"], found["lively:1"]["busy"], found["lively:1"]["release"]) == (16, 3, "1.0")


def test_the_queue_is_that_of_ones_own_organisation(world: World, bare: World) -> None:
    with tenant(world.organisation.id):
        run = Run.objects.first()
        assert run is not None
        Run.objects.update(state="waiting", waits_for="timer", ended_at=None)
        count = Run.objects.count()
        Run.objects.filter(pk=run.pk).update(state="queued", waits_for="", rung_at="2026-01-01T00:00Z")
    queue, of_another = shown(world)["queue"], shown(bare)["queue"]
    assert (queue["queued"], queue["running"]) == (1, 0)
    assert sum(queue["waiting"].values()) == count - 1
    assert queue["oldest_queued_seconds"] > 60
    assert of_another == {"queued": 0, "running": 0, "waiting": {}, "oldest_queued_seconds": None}


def test_who_may_see_no_run_sees_no_worker(bare: World) -> None:
    assert bare.api("stranger").get("/workers").status_code == 403
