"""`GET /workers`: the processes that do the work, and the queue of one's own organisation."""

from typing import Any

from django.test import Client

from agents.runs.models import Run
from foundation.access.models import Grant
from foundation.access.services import grant
from foundation.organisations.models import GrantTarget
from foundation.organisations.services import create_team
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


def test_who_sees_one_team_sees_its_figures_and_no_process(world: World) -> None:
    beat("lively:1", "1 s")
    with tenant(world.organisation.id):
        shell = world.shell
        aside = create_team(actor=shell, organisation=world.organisation, slug="aside", name="Aside", parent=None)
        for role, target in (("approver", world.team.id), ("stranger", aside.id)):
            Grant.objects.filter(principal=world.people[role]).delete()
            place = GrantTarget.objects.get(pk=target)
            grant(actor=shell, principal=world.people[role], role="viewer", target=place)
        Run.objects.update(state="queued", waits_for="", rung_at="2026-01-01T00:00Z", ended_at=None)
        count = Run.objects.count()
    whole, own, elsewhere = shown(world), shown(world, "approver"), shown(world, "stranger")
    assert (own["queue"]["queued"], elsewhere["queue"]["queued"]) == (count, 0)
    assert own["workers"] == elsewhere["workers"] == []
    assert own["living"] == whole["living"] == sum(one["alive"] for one in whole["workers"] if one["kind"] == "worker")
    assert own["living"] > 0
    page = Client().get("/workers/", headers={"Authorization": f"Bearer {world.keys['approver']}"})
    assert page.status_code == 200
    assert "lively:1" not in page.content.decode()
    assert "whoever may see all runs" in page.content.decode()
