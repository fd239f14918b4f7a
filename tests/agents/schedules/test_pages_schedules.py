"""Schedules and triggers in the console: the look ahead, changes, what became of moments, secrets shown once."""

import re

import pytest

from agents.runs.models import Run
from agents.schedules.models import Schedule, Trigger
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures

DAILY = {
    "name": "Digest", "agent": "clerk", "kind": "cron", "expression": "30 7 * * *", "time_zone": "Europe/Berlin",
    "starts_at": "2027-03-26T00:00:00", "ends_at": "", "catch_up": "latest", "overlap": "skip", "input": "Write it.",
}  # fmt: skip


def test_the_next_moments_are_shown_in_both_clocks_before_anything_is_saved(world: World, visit: Visit):
    page = visit("/schedules/new", "builder", form=DAILY | {"preview": "1", "name": "", "input": ""}).content.decode()
    assert "Sat 27 Mar 2027 07:30:00 CET" in page
    assert "Sun 28 Mar 2027 07:30:00 CEST" in page
    assert re.search(r"06:30:00</span></time> UTC", page)
    assert re.search(r"05:30:00</span></time> UTC", page)
    with tenant(world.organisation.id):
        assert not Schedule.objects.filter(name="Digest").exists()


def test_where_both_clocks_are_one_the_moments_stand_once(visit: Visit):
    page = visit("/schedules/new", "builder", form=DAILY | {"preview": "1", "time_zone": "UTC"}).content.decode()
    assert "Sat 27 Mar 2027 07:30:00 UTC" in page
    assert not re.search(r"07:30:00</span></time> UTC", page)


def test_htmx_gets_the_moments_only_and_a_wrong_line_says_why(visit: Visit):
    answer = visit(
        "/schedules/new", "builder", form=DAILY | {"expression": "61 * * * *"}, **{"HX-Request-Type": "partial"}
    )
    page = answer.content.decode()
    assert "<html" not in page
    assert "is no cron line" in page


def test_a_schedule_is_made_changed_stopped_and_deleted(world: World, visit: Visit):
    answer = visit("/schedules/new", "builder", form=DAILY)
    assert answer.status_code == 303
    path = answer["Location"]
    with tenant(world.organisation.id):
        made = Schedule.objects.get(name="Digest")
        assert made.owner_id == world.people["builder"].id
        assert made.starts_at.isoformat() == "2027-03-25T23:00:00+00:00"
    assert "2027-03-26T00:00:00" in visit(f"{path}change", "builder").content.decode()
    visit(f"{path}change", "builder", form=DAILY | {"name": "Evening digest", "expression": "0 19 * * *"})
    assert "Evening digest" in visit(path, "viewer").content.decode()
    visit(f"{path}disable/", "builder", form={})
    assert "It is disabled" in visit(path, "viewer").content.decode()
    visit(f"{path}enable/", "builder", form={})
    assert visit(f"{path}delete/", "builder", form={})["Location"] == "/schedules/"
    assert visit(path, "viewer").status_code == 404


def test_what_somebody_else_changed_meanwhile_is_not_undone_by_an_old_form(world: World, visit: Visit):
    path = visit("/schedules/new", "builder", form=DAILY)["Location"]
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', visit(f"{path}change", "builder").content.decode())
    assert world.api().patch(path.rstrip("/"), {"expression": "0 19 * * *"}).status_code == 200
    late = visit(f"{path}change", "builder", form=DAILY | {"name": "Mine", "seen": seen})
    assert late.status_code == 422
    assert "Somebody else has changed this schedule" in late.content.decode()
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', visit(f"{path}change", "builder").content.decode())
    assert visit(f"{path}change", "builder", form=DAILY | {"name": "Mine", "seen": seen}).status_code == 303


def test_an_input_that_is_an_object_outlives_a_change_of_the_rest(world: World, visit: Visit):
    nightly = {"agent": "clerk", "name": "Orders", "kind": "cron", "expression": "0 3 * * *", "input": {"order": 17}}
    path = f"/schedules/{world.api('builder').post('/schedules', nightly).json()['id']}/"
    answer = visit(f"{path}change", "builder", form=DAILY | {"name": "Later orders", "input": ""})
    assert (answer.status_code, answer["Location"]) == (303, path)
    with tenant(world.organisation.id):
        changed = Schedule.objects.get(name="Later orders")
        assert (changed.input, changed.expression) == ({"order": 17}, "30 7 * * *")


@pytest.mark.parametrize(("zone", "moment"), [("Asia/Tokyo", "0001-01-01T00:00:00"),
                                              ("America/New_York", "9999-12-31T23:00:00")])  # fmt: skip
@pytest.mark.parametrize("look", [{}, {"preview": "1"}])
def test_a_moment_at_the_end_of_all_dates_is_told_as_wrong(visit: Visit, zone: str, moment: str, look: dict[str, str]):
    answer = visit("/schedules/new", "builder", form=DAILY | {"time_zone": zone, "starts_at": moment} | look)
    assert answer.status_code == (200 if look else 422)
    assert "out of all proportion" in answer.content.decode()


def test_a_schedule_runs_now_in_the_name_of_who_says_so(world: World, visit: Visit):
    path = f"/schedules/{world.things['schedules']}/"
    answer = visit(f"{path}run/", "builder", form={})
    with tenant(world.organisation.id):
        run = Run.objects.get(source="schedule")
        assert answer["Location"] == f"/runs/{run.id}/"
        assert run.requester_id == world.people["builder"].id
    assert f"/runs/{run.id}/" in visit(path, "viewer").content.decode()


def test_whoever_may_start_runs_but_manages_no_agents_runs_it_too(world: World, visit: Visit):
    path = f"/schedules/{world.things['schedules']}/"
    assert f'action="{path}run/"' in visit(path, "operator").content.decode()
    assert visit(f"{path}run/", "operator", form={}).status_code == 303
    with tenant(world.organisation.id):
        assert Run.objects.get(source="schedule").requester_id == world.people["operator"].id
    assert f'action="{path}run/"' not in visit(path, "viewer").content.decode()
    assert visit(f"{path}run/", "viewer", form={}).status_code == 403


def test_a_wrong_form_keeps_what_was_typed(visit: Visit):
    answer = visit("/schedules/new", "builder", form=DAILY | {"time_zone": "Mars/Olympus"})
    assert answer.status_code == 422
    assert "Mars/Olympus" in answer.content.decode()
    assert "is no time zone" in answer.content.decode()


def test_a_triggers_secret_is_shown_once_and_another_one_after_it_was_changed(world: World, visit: Visit):
    answer = visit("/triggers/new", "builder", form={"name": "Zendesk", "agent": "clerk"})
    assert answer["Cache-Control"] == "no-store"
    (first,) = set(re.findall(r"rts_[\w-]{20,}", answer.content.decode()))
    with tenant(world.organisation.id):
        made = Trigger.objects.get(name="Zendesk")
    assert "rts_" not in visit(f"/triggers/{made.id}/", "builder").content.decode()
    again = visit(f"/triggers/{made.id}/rotate/", "builder", form={"reason": "It leaked"})
    (second,) = set(re.findall(r"rts_[\w-]{20,}", again.content.decode()))
    assert first != second


def test_a_trigger_is_stopped_and_deleted(world: World, visit: Visit):
    path = f"/triggers/{world.things['triggers']}/"
    visit(f"{path}disable/", "builder", form={})
    with tenant(world.organisation.id):
        assert not Trigger.objects.get(pk=world.things["triggers"]).enabled
    visit(f"{path}enable/", "builder", form={})
    assert visit(f"{path}delete/", "builder", form={})["Location"] == "/triggers/"
    assert visit(path, "builder").status_code == 404
