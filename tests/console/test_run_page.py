"""The run's page: its steps, the selected one, what waits, and hostile text."""

import pytest

from agents.runs.models import Run, Step
from foundation.ids import uuid7
from foundation.tenancy.context import tenant
from tests.console.pages import Visit
from tests.foundation.api.world import World
from tests.workers import superuser

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)><p hx-get="/stolen">'


def test_it_shows_the_step_the_ask_and_the_exact_call(world: World, visit: Visit):
    page = visit(f"/runs/{world.things['runs']}/?step=1", "operator").content.decode()
    assert "papers.search" in page
    assert f"/approvals/{world.things['approvals']}/" in page
    assert "Exact call" in page
    assert 'aria-current="true"' in page


def test_htmx_gets_the_inspector_only(world: World, visit: Visit):
    answer = visit(f"/runs/{world.things['runs']}/?step=1", **{"HX-Request-Type": "partial"})
    assert "<html" not in answer.content.decode()
    assert "Exact call" in answer.content.decode()
    assert "HX-Request-Type" in answer["Vary"]


def test_the_living_part_names_its_stream_until_the_run_ends(world: World, visit: Visit):
    path = f"/runs/{world.things['runs']}/?part=live"
    assert "data-stream=" in visit(path).content.decode()
    assert visit(f"/runs/{world.things['runs']}/cancel/", form={}).status_code == 303
    Run.objects.using("engine").filter(pk=world.things["runs"]).update(
        state="failed", failure="x", ended_at="2026-01-01T00:00Z"
    )
    assert "data-stream=" not in visit(path).content.decode()


def test_what_tools_and_strangers_wrote_stays_text(world: World, visit: Visit):
    run = world.things["runs"]
    Step.objects.using("engine").filter(run_id=run).update(
        output={"page": HOSTILE}, name="papers.search", error=HOSTILE
    )
    with tenant(world.organisation.id):
        Run.objects.filter(pk=run).update(title=HOSTILE)
    for path in (f"/runs/{run}/?step=1", f"/runs/{run}/", "/runs/", "/", "/search?q=script"):
        page = visit(path, "auditor").content.decode()
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "<p hx-get" not in page, path


def test_an_unknown_step_shows_the_run_itself(world: World, visit: Visit):
    assert "What came in" in visit(f"/runs/{world.things['runs']}/?step=99").content.decode()


@pytest.mark.slow
def test_three_thousand_steps_are_two_hundred_rows(world: World, visit: Visit):
    with tenant(world.organisation.id):
        run = Run.objects.get(pk=world.things["runs"])
    many = [
        Step(
            run_id=run.id, number=number, organisation_id=run.organisation_id, kind="tool_call", state="succeeded",
            name=f"papers.{number}", decision_id=uuid7(), started_at=run.created_at, ended_at=run.created_at,
        )
        for number in range(2, 3001)
    ]  # fmt: skip
    Step.objects.using("engine").bulk_create(many)
    page = visit(f"/runs/{run.id}/").content.decode()
    assert page.count('class="wf-row"') == 199
    assert "2,803 earlier steps" in page
    assert ">papers.2803<" not in page
    assert f'href="/runs/{run.id}/?before=2804"' in page
    earlier = visit(f"/runs/{run.id}/?before=2804").content.decode()
    assert ">papers.2803<" in earlier
    assert "197 later steps" in earlier
    assert f'href="/runs/{run.id}/"' in earlier
    assert 'aria-current="true"' in visit(f"/runs/{run.id}/?step=1500").content.decode()


def _turned_into(run: object, name: str, **change: object) -> None:
    Step.objects.using("engine").filter(run_id=run).update(kind="tool_call", name=name, **change)


def test_only_a_person_is_asked_and_no_moment_is(world: World, visit: Visit):
    run = world.things["runs"]
    for name, word in (("remit.wait", "Waits"), ("remit.wait_for_event", "Waits"), ("remit.ask_person", "Asked")):
        _turned_into(run, name, state="waiting", started_at="2026-11-23T10:00Z", ended_at=None)
        page = visit(f"/runs/{run}/").content.decode()
        assert f'<span class="mark-word">{word}</span>' in page, name
        assert ("Waiting for people" in page) == (word == "Asked"), name


def test_a_step_is_noted_by_its_first_text_whatever_stands_before_it(world: World, visit: Visit):
    run = world.things["runs"]
    _turned_into(run, "remit.ask_person", state="waiting", input={"form": {"type": "object"}, "question": "Which one?"})
    page = visit(f"/runs/{run}/", "auditor").content.decode()
    assert '<span class="note">Which one?</span>' in page
    _turned_into(run, "remit.wait", input={"until": None, "seconds": 600})
    assert '<span class="note">600</span>' in visit(f"/runs/{run}/", "auditor").content.decode()


def test_a_run_that_waits_for_money_says_whose_and_how_much_is_spent(world: World, visit: Visit):
    run = world.things["runs"]
    Run.objects.using("engine").filter(pk=run).update(
        state="waiting", waits_for="budget", waits_on=world.organisation.id, wake_at="2036-01-01T00:00Z"
    )
    page = visit(f"/runs/{run}/").content.decode()
    assert "Not enough money is left" in page
    assert "has spent or held" in page
    assert "100.00" in page


def test_the_tree_is_drawn_without_what_was_said_and_done(world: World, visit: Visit):
    """Of what is drawn, and nobody has chosen, no body is read: not even one that nobody can read."""
    run = world.things["runs"]
    with tenant(world.organisation.id):
        organisation = Run.objects.get(pk=run).organisation_id
    Step.objects.using("engine").create(
        run_id=run, number=2, organisation_id=organisation, kind="tool_call", state="succeeded", name="papers.count",
        input={"list": ["inner"], "number": 7, "what": "Geese on the pond"},
    )  # fmt: skip
    with superuser() as database:
        database.execute(
            "UPDATE runs_step SET input = jsonb_build_object('n', repeat('9', 5000)::numeric), "
            "output = jsonb_build_object('n', repeat('9', 5000)::numeric) WHERE run_id = %s AND number = 1",
            [run],
        )
    page = visit(f"/runs/{run}/?step=2", "auditor").content.decode()
    assert page.count("Geese on the pond") == 3, "in the tree, in the inspector's head, in the call"
    assert "9" * 60 in page
    assert "9" * 61 not in page
    page = visit(f"/runs/{run}/?step=2", "operator").content.decode()
    assert "Geese" not in page
    assert "999" not in page
