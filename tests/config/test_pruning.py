"""The system's tick takes away what nobody needs any more, in bounded batches, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.db import connections, transaction

from agents.runs.models import Run
from agents.schedules.models import Firing, FiringState
from config import pruning
from config.doorbell import beat_schedule
from config.tasks import prune
from foundation.api.models import Submission
from foundation.identity.lookups import seeing_as
from foundation.identity.models import WebSession
from foundation.ids import lowest_id, uuid7
from foundation.tenancy.context import tenant
from tests.foundation.api.world import World, furnish, make_organisation
from tests.foundation.identity.household import PASSWORD, Household, away, make_household


@pytest.fixture
def household(database: Any) -> Household:
    """An organisation with an owner and a member, on the product's own pages."""
    return make_household()


@pytest.fixture
def world(database: Any) -> World:
    """An organisation with a schedule."""
    return furnish(make_organisation("pruned"))


def signed_in(household: Household) -> str:
    client = away()
    email = household.user(household.owner).email
    assert client.post("/sign-in/", {"email": email, "password": PASSWORD}).status_code == 303
    return str(client.session.session_key)


def run_out(key: str) -> None:
    Session.objects.filter(session_key=key).update(expire_date=datetime.now(UTC) - timedelta(seconds=1))


def browsers(household: Household) -> list[str]:
    with seeing_as(household.owner.user_id):
        return list(WebSession.objects.values_list("key", flat=True))


def fired(world: World, days: float, state: str = FiringState.SKIPPED, run: Run | None = None) -> UUID:
    """A firing of so many days ago."""
    due = datetime.now(UTC) - timedelta(days=days)
    identifier = UUID(int=lowest_id(due).int | (uuid7().int & ((1 << 80) - 1)))
    with tenant(world.organisation.id):
        Firing.objects.create(
            id=identifier, organisation_id=world.organisation.id, schedule_id=world.things["schedules"], due_at=due,
            state=state, run=run,
        )  # fmt: skip
    return identifier


def left(world: World) -> set[UUID]:
    with tenant(world.organisation.id):
        return set(Firing.objects.filter(schedule_id=world.things["schedules"]).values_list("id", flat=True))


def test_sessions_that_have_run_out_go_with_their_browsers(household: Household):
    old, new = signed_in(household), signed_in(household)
    run_out(old)
    prune()
    assert not Session.objects.filter(session_key=old).exists()
    assert Session.objects.filter(session_key=new).exists()
    assert browsers(household) == [new]


def test_a_browser_without_a_session_goes_a_day_after_it_was_last_seen(household: Household):
    gone, recent = signed_in(household), signed_in(household)
    Session.objects.filter(session_key__in=[gone, recent]).delete()
    with seeing_as(household.owner.user_id):
        WebSession.objects.filter(key=gone).update(last_seen_at=datetime.now(UTC) - timedelta(days=2))
    prune()
    assert browsers(household) == [recent]


def test_a_session_that_somebody_holds_is_passed_over(household: Household):
    held, free = signed_in(household), signed_in(household)
    run_out(held)
    run_out(free)
    with transaction.atomic():
        assert Session.objects.select_for_update().get(session_key=held)
        pruning.prune_all()
        assert not Session.objects.filter(session_key=free).exists()
        assert Session.objects.filter(session_key=held).exists()
    prune()
    assert not Session.objects.filter(session_key=held).exists()


def test_one_batch_follows_another(household: Household, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pruning, "BATCH", 2)
    keys = [signed_in(household) for _ in range(5)]
    for key in keys:
        run_out(key)
    prune()
    assert not Session.objects.filter(session_key__in=keys).exists()
    assert browsers(household) == []


def test_a_round_ends_when_its_time_is_over(household: Household, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pruning, "_PATIENCE", 0.0)
    old = signed_in(household)
    run_out(old)
    prune()
    assert Session.objects.filter(session_key=old).exists()


def test_old_firings_go_and_what_still_counts_stays(world: World):
    with tenant(world.organisation.id):
        run = Run.objects.get(pk=world.things["runs"])
    old, going = fired(world, 100), fired(world, 101, FiringState.STARTED, run)
    queued, young = fired(world, 102, FiringState.QUEUED), fired(world, 89)
    newest = fired(world, 1)
    assert left(world) == {old, going, queued, young, newest}
    prune()
    assert left(world) == {going, queued, young, newest}


def test_the_newest_firing_of_a_schedule_stays_however_old(world: World):
    older, newest = fired(world, 400), fired(world, 300)
    prune()
    assert older not in left(world)
    assert newest in left(world)


def test_keys_of_requests_are_forgotten_after_thirty_days(world: World):
    answer = world.api().post("/services", {"name": "Robot"}, **{"Idempotency-Key": "young"})
    assert answer.status_code == 201
    with tenant(world.organisation.id):
        young = Submission.objects.get()
        old = lowest_id(datetime.now(UTC) - timedelta(days=31))
        Submission.objects.create(
            id=UUID(int=old.int | (young.pk.int & ((1 << 80) - 1))), organisation_id=world.organisation.id,
            principal=young.principal, key="old", digest="0" * 64,
        )  # fmt: skip
    prune()
    with tenant(world.organisation.id):
        assert list(Submission.objects.values_list("key", flat=True)) == ["young"]


@pytest.mark.parametrize(("days", "kept"), [(0, True), (10, False)])
def test_the_operator_says_for_how_long(world: World, settings: Any, *, days: int, kept: bool):
    settings.REMIT_FIRINGS_DAYS = days
    old, newest = fired(world, 50), fired(world, 1)
    prune()
    assert left(world) == ({old, newest} if kept else {newest})


def test_the_system_ticks_for_it():
    assert beat_schedule["prune"]["task"] == prune.name


def test_finding_nothing_old_looks_at_no_young_firing(world: World):
    """By the order of the ids: however many firings there are, a round that finds nothing is short."""
    for day in range(3):
        fired(world, day)
    with transaction.atomic(using="system"), connections["system"].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + pruning._FIRINGS, [lowest_id(datetime.now(UTC) - timedelta(days=90)), 10])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using schedules_firing_pkey on schedules_firing f" in plan
    assert "Index Cond: (id <" in plan
