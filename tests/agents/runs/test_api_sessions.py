"""Sessions over REST: opened, continued, read in pages, moved, closed; memory and files."""

import base64
import json
from typing import Any

import pytest

from agents.runs.items import items_of
from agents.runs.models import Blob, Run, RunState, Session, Step, StepKind, StepState
from foundation.audit.models import AuditEntry
from foundation.tenancy.context import tenant
from tests.foundation.api.fixtures import world
from tests.foundation.api.world import World, furnish, make_organisation

__all__ = ["world"]


def opened(world: World) -> dict[str, Any]:
    answer = world.api("operator").post("/sessions", {"agent": "clerk", "title": "Ticket 7", "counterpart": "Ada"})
    assert answer.status_code == 201, answer.content
    session: dict[str, Any] = answer.json()
    return session


def end(world: World, run: str) -> None:
    with tenant(world.organisation.id):
        Run.objects.filter(pk=run).update(state=RunState.SUCCEEDED, ended_at="2026-01-01T00:00:00Z")


def test_a_session_is_opened_and_continued(world: World) -> None:
    session, api = opened(world), world.api("operator")
    assert (session["title"], session["counterpart"], session["version"], session["turns"]) == ("Ticket 7", "Ada", 1, 0)
    first = api.post("/runs", {"session": session["id"], "input": "a"}, **{"Idempotency-Key": "k1"})
    assert first.status_code == 201, first.content
    assert first.json()["session"] == session["id"]
    again = api.post("/runs", {"session": session["id"], "input": "a"}, **{"Idempotency-Key": "k1"})
    assert again.json()["id"] == first.json()["id"]
    busy = api.post("/runs", {"session": session["id"], "input": "b"})
    assert busy.status_code == 409
    assert "has not ended" in busy.json()["detail"]
    end(world, first.json()["id"])
    assert api.post("/runs", {"session": session["id"], "input": "b"}).status_code == 201
    assert api.get(f"/sessions/{session['id']}").json()["turns"] == 2
    assert api.post("/runs", {"input": "b"}).status_code == 400
    listed = api.get("/sessions?state=open").json()["items"]
    assert session["id"] in {one["id"] for one in listed}


def test_items_come_in_pages(world: World) -> None:
    api, session = world.api("viewer"), world.things["sessions"]
    with tenant(world.organisation.id):
        run = Run.objects.get(session=session)
        for number in range(2, 6):
            Step.objects.using("engine").create(
                run_id=run.id, number=number, organisation_id=run.organisation_id, kind=StepKind.MODEL_CALL,
                state=StepState.SUCCEEDED, name="small", output={"items": [
                    {"type": "message", "role": "assistant", "text": f"{number}"},
                    {"type": "call", "call_id": "c", "name": "t", "arguments": "{}"}]},
            )  # fmt: skip
        whole = [item.id for part in items_of(Session.objects.get(pk=session)) for item in part]
    assert len(whole) == 10
    found, path = [], f"/sessions/{session}/items?limit=3"
    while path:
        page = api.get(path).json()
        assert len(page["items"]) <= 3
        found += [one["id"] for one in page["items"]]
        path = page["next"]
    assert found == whole
    for wrong in ("x", "1.2.3", f"{session}.0.0", f"{run.id}.x.0"):
        assert api.get(f"/sessions/{session}/items?after={wrong}").status_code == 400, wrong


def test_memory_is_read_written_and_forgotten(world: World) -> None:
    session, api = opened(world)["id"], world.api("operator")
    assert api.get(f"/sessions/{session}/memory").json() == {"memory": {}}
    noted = api.post(f"/sessions/{session}/memory", {"name": "language", "value": {"code": "fr"}}).json()["memory"]
    assert noted["language"]["value"] == {"withheld": "audit.read_bodies", "bytes": 14}
    assert noted["language"]["label"]["integrity"] == "trusted"
    read = world.api("auditor").get(f"/sessions/{session}/memory").json()["memory"]
    assert read["language"]["value"] == {"code": "fr"}
    assert api.post(f"/sessions/{session}/memory", {"name": "x", "value": "y" * 9_000}).status_code == 400
    assert api.post(f"/sessions/{session}/memory", {"name": "x", "value": "\x00"}).status_code == 400
    assert api.post(f"/sessions/{session}/memory/forget", {"name": "language"}).json() == {"memory": {}}
    assert api.post(f"/sessions/{session}/memory/forget", {"name": "language"}).status_code == 400


def test_a_file_comes_back_as_an_attachment_of_unknown_type(world: World) -> None:
    session, api = opened(world)["id"], world.api("operator")
    hostile = b"<script>alert(1)</script>\x00\xff"
    body = {
        "name": 'a"\u2603;\u00e9.html',
        "media_type": "text/html; charset=x",
        "content": base64.b64encode(hostile).decode(),
    }
    saved = api.post(f"/sessions/{session}/files", body)
    assert saved.status_code == 201, saved.content
    file = saved.json()
    assert (file["size"], file["media_type"]) == (len(hostile), "text/html")
    assert file["label"]["integrity"] == "untrusted"
    answer = world.api("auditor").get(f"/artifacts/{file['id']}/content", Accept="text/html")
    assert answer.status_code == 200, answer.content
    assert answer.content == hostile
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''a%22%E2%98%83%3B%C3%A9.html"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "no-store"
    with tenant(world.organisation.id):
        assert AuditEntry.objects.filter(action="session.read_file", target_id=file["id"]).count() == 1
    missing = world.api("auditor").get(f"/artifacts/{session}/content")
    assert (missing.status_code, missing.json()["status"]) == (404, 404)


def test_equal_content_is_kept_once_and_names_are_taken_again(world: World) -> None:
    session, api = opened(world)["id"], world.api("operator")
    for text in ("one", "two", "one"):
        assert api.post(f"/sessions/{session}/files", {"name": "a.txt", "text": text}).status_code == 201
    rows = api.get(f"/sessions/{session}/files").json()["items"]
    assert [one["name"] for one in rows] == ["a.txt"] * 3
    assert rows[0]["digest"] == rows[2]["digest"] != rows[1]["digest"]
    with tenant(world.organisation.id):
        assert Blob.objects.filter(digest=rows[0]["digest"]).count() == 1
    assert len(api.get(f"/artifacts?session={session}").json()["items"]) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a"}, {"name": "a", "text": "a", "content": "YQ=="}, {"name": "a", "content": "=="},
        {"name": "../a", "text": ""}, {"name": ".a", "text": ""}, {"name": "a\\b", "text": ""},
        {"name": "a\nb", "text": ""}, {"name": "", "text": ""},
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_kept_is_refused(world: World, body: dict[str, Any]) -> None:
    answer = world.api("operator").post(f"/sessions/{world.things['sessions']}/files", body)
    assert answer.status_code == 400, answer.content


def test_a_session_holds_so_many_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.runs.files.LARGEST_SESSION", 10)
    monkeypatch.setattr("agents.runs.files.LARGEST_FILE", 8)
    session, api = opened(world)["id"], world.api("operator")
    assert api.post(f"/sessions/{session}/files", {"name": "a", "text": "x" * 9}).status_code == 400
    assert api.post(f"/sessions/{session}/files", {"name": "a", "text": "x" * 8}).status_code == 201
    over = api.post(f"/sessions/{session}/files", {"name": "a", "text": "x" * 3})
    assert "would exceed 10" in over.json()["detail"]


def test_move_and_close(world: World) -> None:
    session, api = opened(world)["id"], world.api()
    assert api.post(f"/sessions/{session}/move", {"version": 7}).status_code == 400
    assert api.post(f"/sessions/{session}/move", {"version": 1}).status_code == 409
    version = {"instructions": "Answer.", "language_model": "small", "truncation": "drop", "context_tokens": 900}
    made = api.post("/agents/clerk/versions", version).json()
    assert (made["truncation"], made["context_tokens"], made["on_exhausted"]) == ("drop", 900, "stop")
    assert api.post(f"/sessions/{session}/move", {"version": 2, "reason": "Better."}).json()["version"] == 2
    closed = api.post(f"/sessions/{session}/close", {"reason": "Done."}).json()
    assert closed["state"] == "closed"
    assert closed["closed_at"]
    assert api.post(f"/sessions/{session}/close").status_code == 409
    assert api.post("/runs", {"session": session, "input": "b"}).status_code == 409
    assert api.post(f"/sessions/{session}/memory", {"name": "a", "value": 1}).status_code == 409


def test_an_export_is_one_document(world: World) -> None:
    document = json.loads(world.api("auditor").get(f"/sessions/{world.things['sessions']}/export").getvalue())
    assert document["format"] == "remit.session.v1"
    assert document["items"][0]["content"] == world.canary
    with tenant(world.organisation.id):
        assert AuditEntry.objects.filter(action="session.export").count() == 1


def test_sessions_of_others_do_not_exist(world: World) -> None:
    theirs = furnish(make_organisation("theirs"))
    session, file, api = world.things["sessions"], world.things["artifacts"], theirs.api()
    for path in (f"/sessions/{session}/items", f"/sessions/{session}/memory", f"/sessions/{session}/files",
                 f"/sessions/{session}/export", f"/artifacts/{file}", f"/artifacts/{file}/content"):  # fmt: skip
        answer = theirs.api("auditor").get(path)
        assert answer.status_code == 404, path
        assert world.canary not in answer.content.decode()
    assert api.post("/runs", {"session": str(session), "input": "x"}).status_code == 404
    for path in ("memory", "files", "close", "move"):
        body = {"memory": {"name": "a", "value": 1}, "files": {"name": "a", "text": "a"}, "move": {"version": 1}}
        assert api.post(f"/sessions/{session}/{path}", body.get(path)).status_code == 404


def test_a_viewer_reads_only(world: World) -> None:
    api, session = world.api("viewer"), world.things["sessions"]
    for path, body in (("memory", {"name": "a", "value": 1}), ("files", {"name": "a", "text": "a"}), ("close", {})):
        answer = api.post(f"/sessions/{session}/{path}", body)
        assert (answer.status_code, answer.json()["permission"]) == (403, "run.control"), path
    assert api.post("/sessions", {"agent": "clerk"}).json()["permission"] == "run.start"
