"""Starting, stopping, listing runs in the console."""

import re

from django.db.models.functions import Now

from agents.runs.models import Run, Step
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures

MAIL = "From: a@example.org\nSubject: The lamp is broken\n\nHello,"


def test_a_run_is_started_with_the_subject_as_its_title(world: World, visit: Visit):
    answer = visit("/runs/new", "operator", form={"agent": "clerk", "input": MAIL})
    assert answer.status_code == 303
    with tenant(world.organisation.id):
        run = Run.objects.order_by("-id")[0]
        assert (run.title, run.input.replace("\r\n", "\n"), run.source) == ("The lamp is broken", MAIL, "console")
        assert run.input_label["integrity"] == "untrusted"
        assert run.requester_id == world.people["operator"].id
    assert answer["Location"] == f"/runs/{run.id}/"


def test_an_agent_that_may_not_be_started_is_no_choice(world: World, visit: Visit):
    visit("/agents/clerk/suspend/", form={"reason": "Stop"})
    answer = visit("/runs/new", "operator", form={"agent": "clerk", "input": "x"})
    assert answer.status_code == 422


def test_a_run_is_stopped_by_whoever_controls_it(world: World, visit: Visit):
    path = f"/runs/{world.things['runs']}/cancel/"
    assert visit(path, "viewer", form={}).status_code == 403
    assert visit(path, "operator", form={}).status_code == 303
    with tenant(world.organisation.id):
        assert Run.objects.get(pk=world.things["runs"]).cancel_requested


def test_a_step_in_doubt_takes_a_persons_word(world: World, visit: Visit):
    run = world.things["runs"]
    Step.objects.using("engine").filter(run_id=run).update(state="unknown")
    Run.objects.using("engine").filter(pk=run).update(state="waiting", waits_for="person")
    page = visit(f"/runs/{run}/", "operator").content.decode()
    assert "Nobody knows whether this happened" in page
    assert re.search(r'name="outcome"[^>]*>\s*<option value=""', page)
    path = f"/runs/{run}/steps/1/resolve/"
    # Nothing is chosen beforehand, and nothing is taken without both.
    for form in ({"outcome": "done", "evidence": ""}, {"outcome": "", "evidence": "The ledger has it."}):
        visit(path, "operator", form=form)
        with tenant(world.organisation.id):
            assert Step.objects.get(run_id=run).state == "unknown"
    visit(path, "operator", form={"outcome": "done", "evidence": "The ledger has it."})
    with tenant(world.organisation.id):
        assert Step.objects.get(run_id=run).state == "succeeded"


def test_a_run_that_has_ended_takes_a_word_and_offers_no_repetition(world: World, visit: Visit):
    run = world.things["runs"]
    Step.objects.using("engine").filter(run_id=run).update(state="unknown")
    Run.objects.using("engine").filter(pk=run).update(state="waiting", waits_for="person")
    assert 'value="retry"' in visit(f"/runs/{run}/", "operator").content.decode()
    Run.objects.using("engine").filter(pk=run).update(state="failed", waits_for="", ended_at=Now())
    page = visit(f"/runs/{run}/", "operator").content.decode()
    assert "Nobody knows whether this happened" in page
    assert 'value="failed"' in page
    assert 'value="retry"' not in page
    path = f"/runs/{run}/steps/1/resolve/"
    for outcome, state in (("retry", "unknown"), ("failed", "failed")):
        visit(path, "operator", form={"outcome": outcome, "evidence": "The ledger has nothing."})
        with tenant(world.organisation.id):
            assert Step.objects.get(run_id=run).state == state
    assert "Nobody knows whether this happened" not in visit(f"/runs/{run}/", "operator").content.decode()


def test_the_list_is_filtered_and_exported(world: World, visit: Visit):
    visit("/runs/new", "operator", form={"agent": "clerk", "title": "=1+1", "input": "x"})
    assert "=1+1" in visit("/runs/?q=1%2B1", "viewer").content.decode()
    assert "No run matches" in visit("/runs/?status=failed", "viewer").content.decode()
    assert ",'=1+1," in visit("/runs/?q=1%2B1&format=csv", "viewer").getvalue().decode()
