"""Questions of agents in the console: the inbox, the form, the answer; the address that the outside calls."""

from agents.runs.models import InputRequest, Run
from foundation.audit.models import AuditEntry
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures


def waits(world: World, what: str, on: str) -> None:
    Run.objects.using("engine").filter(pk=world.things["runs"]).update(
        state="waiting", waits_for=what, waits_on=world.things[on]
    )


def question_of(world: World) -> InputRequest:
    with tenant(world.organisation.id):
        return InputRequest.objects.get(pk=world.things["questions"])


def test_a_question_stands_in_the_inbox_and_on_the_run(world: World, visit: Visit):
    waits(world, "input", "questions")
    path = f"/questions/{world.things['questions']}/"
    for place in ("/", "/approvals/", f"/runs/{world.things['runs']}/"):
        page = visit(place, "operator").content.decode()
        assert path in page, place
        assert "Answer" in page, place
    assert path in visit("/approvals/?state=mine", "operator").content.decode()
    assert path not in visit("/approvals/?state=mine", "viewer").content.decode()


def test_the_answer_lets_the_run_go_on(world: World, visit: Visit):
    waits(world, "input", "questions")
    path = f"/questions/{world.things['questions']}/"
    bad = visit(path, "operator", form={"right": "true", "note": "", "amount": "0"})
    assert bad.status_code == 422
    assert question_of(world).state == "open"
    good = visit(path, "operator", form={"right": "true", "note": "I called them", "amount": "", "kind": "two"})
    assert good["Location"] == f"/runs/{world.things['runs']}/"
    assert question_of(world).answer == {"right": True, "note": "I called them", "kind": "two"}
    with tenant(world.organisation.id):
        assert Run.objects.get(pk=world.things["runs"]).state == "queued"
    assert "I called them" in visit(path, "auditor").content.decode()
    late = visit(path, "operator", form={"right": "true", "note": "Late, but typed"})
    assert late.status_code == 422
    assert "Your answer was not taken" in late.content.decode()
    assert "Another one had come before" in late.content.decode()
    assert "Late, but typed" in late.content.decode()
    assert "was not taken" not in visit(path, "operator").content.decode()


def test_what_is_typed_for_a_run_that_ended_meanwhile_is_not_lost(world: World, visit: Visit):
    waits(world, "input", "questions")
    path = f"/questions/{world.things['questions']}/"
    assert "Your answer" in visit(path, "operator").content.decode()
    Run.objects.using("engine").filter(pk=world.things["runs"]).update(
        state="cancelled", waits_for="", ended_at="2026-01-01T00:00Z"
    )
    InputRequest.objects.using("engine").filter(pk=world.things["questions"]).update(state="void")
    late = visit(path, "operator", form={"right": "true", "note": "Typed in vain"}).content.decode()
    assert "Your answer was not taken" in late
    assert "Its run has ended without an answer" in late
    assert "Typed in vain" in late
    assert "No answer" in visit(path, "operator").content.decode()


def test_whoever_does_not_control_the_run_sees_no_form(world: World, visit: Visit):
    page = visit(f"/questions/{world.things['questions']}/", "viewer").content.decode()
    assert "run.control" in page
    assert "<textarea" not in page


def test_an_address_is_shown_before_anything_waits_for_it(world: World, visit: Visit):
    path = f"/runs/{world.things['runs']}/"
    assert f"An address is open: {world.canary}" in visit(path, "viewer").content.decode()
    waits(world, "event", "callbacks")
    assert f"An event from outside: {world.canary}" in visit(path, "viewer").content.decode()


def test_what_signs_a_call_is_shown_to_who_controls_the_run_and_recorded(world: World, visit: Visit):
    waits(world, "event", "callbacks")
    path = f"/callbacks/{world.things['callbacks']}/secret/"
    page = visit(f"/runs/{world.things['runs']}/", "operator").content.decode()
    assert f"/api/v1/callbacks/{world.things['callbacks']}" in page
    assert f"secret-{world.canary}" not in page
    assert visit(path, "viewer", form={}).status_code == 403
    assert visit(path, "operator").status_code == 405
    answer = visit(path, "operator", form={})
    assert f"secret-{world.canary}" in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    with tenant(world.organisation.id):
        assert AuditEntry.objects.filter(action="callback.show_secret").count() == 1
