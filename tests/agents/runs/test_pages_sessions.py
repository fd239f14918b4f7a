"""Sessions in the console: opened, continued, their memory and files, moved, closed, exported."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from agents.registry.models import Agent
from agents.registry.services import create_agent
from agents.runs.models import Artifact, Run, Session, Step
from foundation.access.services import grant
from foundation.tenancy.context import tenant
from tests.console.pages import Visit, visit, world
from tests.foundation.api.world import World

__all__ = ["visit", "world"]  # fixtures

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)><p hx-get="/stolen">'


def session_of(world: World) -> Session:
    with tenant(world.organisation.id):
        return Session.objects.select_related("version").get(pk=world.things["sessions"])


def end_runs(world: World) -> None:
    Run.objects.using("engine").filter(organisation=world.organisation).update(
        state="succeeded", ended_at="2026-01-01T00:00Z"
    )


def test_a_session_is_opened_and_continued(world: World, visit: Visit):
    answer = visit("/sessions/new", "operator", form={"agent": "clerk", "title": "A long matter", "counterpart": "Ada"})
    assert answer.status_code == 303
    path = answer["Location"]
    page = visit(path, "operator").content.decode()
    assert "A long matter" in page
    assert "Nothing was said yet" in page
    assert (
        visit(f"{path}continue", "operator", form={"title": "", "input": "Subject: Lamp\n\nHello"}).status_code == 303
    )
    page = visit(path, "operator").content.decode()
    assert "Lamp" in page
    assert "A run is going on." in page


def test_a_session_without_a_title_is_called_and_found_by_its_first_run(world: World, visit: Visit):
    session = session_of(world)
    Session.objects.using("engine").filter(pk=session.pk).update(title="")
    Run.objects.using("engine").filter(session_id=session.pk).update(title="A torn sofa")
    for path in ("/sessions/", "/sessions/?q=torn", f"/sessions/{session.pk}/"):
        assert "A torn sofa" in visit(path, "viewer").content.decode(), path
    assert "A torn sofa" not in visit("/sessions/?q=lamp", "viewer").content.decode()


def test_a_session_with_a_run_refuses_another_and_keeps_what_was_typed(world: World, visit: Visit):
    path = f"/sessions/{world.things['sessions']}/continue"
    answer = visit(path, "operator", form={"title": "", "input": "A long text that I typed"})
    assert answer.status_code == 422
    assert "A long text that I typed" in answer.content.decode()
    assert "has a run that has not ended" in answer.content.decode()


def test_what_agents_and_strangers_wrote_stays_text(world: World, visit: Visit):
    run = world.things["runs"]
    Step.objects.using("engine").filter(run_id=run).update(
        kind="model_call",
        state="succeeded",
        output={"items": [{"type": "message", "role": "assistant", "text": HOSTILE}]},
    )
    Run.objects.using("engine").filter(pk=run).update(input=HOSTILE, title=HOSTILE)
    memory = {HOSTILE: {"value": HOSTILE, "label": {"integrity": "untrusted"}}}
    Session.objects.using("engine").filter(pk=world.things["sessions"]).update(title=HOSTILE, memory=memory)
    for path in (f"/sessions/{world.things['sessions']}/", "/sessions/", "/search?q=script"):
        page = visit(path, "auditor").content.decode()
        assert "alert(1)" in page, path
        for piece in ("<script>alert", "<img src=x", "<p hx-get"):
            assert piece not in page, path


def test_memory_is_noted_and_forgotten(world: World, visit: Visit):
    path = f"/sessions/{world.things['sessions']}/memory/"
    visit(f"{path}new", "operator", form={"name": "limit", "value": '{"euro": 5}'})
    visit(f"{path}new", "operator", form={"name": "language", "value": "German"})
    memory = session_of(world).memory
    assert (memory["limit"]["value"], memory["language"]["value"]) == ({"euro": 5}, "German")
    assert memory["limit"]["label"]["integrity"] == "trusted"
    visit(f"{path}forget/", "operator", form={"name": "limit"})
    memory = session_of(world).memory
    assert "limit" not in memory
    assert "language" in memory


def test_a_file_is_added_and_comes_back_as_it_was_and_is_never_shown(world: World, visit: Visit):
    session = world.things["sessions"]
    sent = SimpleUploadedFile("page.html", HOSTILE.encode(), "text/html")
    form: dict[str, Any] = {"file": sent, "name": ""}
    assert visit(f"/sessions/{session}/files/new", "operator", form=form).status_code == 303
    with tenant(world.organisation.id):
        artifact = Artifact.objects.get(session_id=session, name="page.html")
    assert artifact.label["integrity"] == "untrusted"
    answer = visit(f"/sessions/{session}/files/{artifact.id}", "auditor")
    assert answer.content == HOSTILE.encode()
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer["Content-Security-Policy"]
    other = world.things["runs"]
    assert visit(f"/sessions/{other}/files/{artifact.id}", "auditor").status_code == 404


def test_it_is_closed_and_then_takes_nothing(world: World, visit: Visit):
    path = f"/sessions/{world.things['sessions']}/"
    end_runs(world)
    assert visit(f"{path}close/", "operator", form={"reason": "Done"}).status_code == 303
    assert session_of(world).state == "closed"
    page = visit(path, "operator").content.decode()
    assert "It is closed: nothing changes any more." in page
    assert visit(f"{path}continue", "operator", form={"title": "", "input": "x"}).status_code == 422


def test_it_is_exported_whole(world: World, visit: Visit):
    answer = visit(f"/sessions/{world.things['sessions']}/export.json", "auditor")
    assert json.loads(answer.getvalue())["session"]["id"] == str(world.things["sessions"])
    assert answer["Content-Disposition"].startswith("attachment")


def test_steps_that_are_too_many_to_show_are_counted(world: World, visit: Visit, monkeypatch: pytest.MonkeyPatch):
    run, path = world.things["runs"], f"/sessions/{world.things['sessions']}/"
    organisation = world.organisation.id
    for number in range(2, 5):
        Step.objects.using("engine").create(run_id=run, number=number, organisation_id=organisation, kind="tool_call",
                                            state="succeeded", name=f"papers.{number}")  # fmt: skip
    Run.objects.using("engine").filter(pk=run).update(steps_written=4)
    assert "earlier steps" not in visit(path, "auditor").content.decode()
    monkeypatch.setattr("agents.runs.turns.MOST_STEPS", 2)
    page = visit(path, "auditor").content.decode()
    assert "2 earlier steps stand on" in page
    assert "papers.4" in page
    assert "papers.2" not in page


def test_whoever_may_not_read_every_turn_is_offered_no_export(world: World, visit: Visit):
    path = f"/sessions/{world.things['sessions']}/"
    assert "export.json" in visit(path, "auditor").content.decode()
    with tenant(world.organisation.id):
        other = create_agent(actor=world.shell, team=world.team, slug="other", name="Other", purpose="",
                             sponsor=world.people["administrator"])  # fmt: skip
        clerk = Agent.objects.get(slug="clerk")
        for role in ("auditor", "viewer"):
            grant(actor=world.shell, principal=world.people["stranger"], role=role, target=clerk.target)
    assert "export.json" in visit(path, "stranger").content.decode()
    Run.objects.using("engine").filter(pk=world.things["runs"]).update(agent=other.id, target=other.target_id)
    page = visit(path, "stranger").content.decode()
    assert "export.json" not in page
    assert "This needs the permission audit.read_bodies" in page
