"""An export is made while it is sent; one that breaks off looks like no whole one."""

import json
from http.client import HTTPConnection, IncompleteRead
from typing import Any

import pytest

from agents.runs.items import items_of
from agents.runs.models import Run, Session, Step
from agents.runs.sessions import export_session
from foundation.tenancy.context import tenant
from foundation.web import listing
from tests.console.pages import visit, world
from tests.servers import web_server
from tests.workers import superuser

__all__ = ["visit", "world"]  # fixtures

UNREADABLE = f'{{"n": {"9" * 5_000}}}'  # more digits than Python reads


def lengthen(run: Any, steps: int) -> None:
    """A run with so many steps behind its first."""
    found = Run.objects.using("engine").get(pk=run)
    Step.objects.using("engine").bulk_create(
        Step(run_id=run, number=number, organisation_id=found.organisation_id, kind="tool_call", state="succeeded",
             name="papers.read", output={"n": number}) for number in range(2, steps + 1)
    )  # fmt: skip
    Run.objects.using("engine").filter(pk=run).update(steps_written=steps)


@pytest.mark.parametrize("steps", [99, 100, 101, 200, 201, 250])
def test_a_run_of_many_steps_is_read_in_parts(world: Any, steps: int) -> None:
    lengthen(world.things["runs"], steps)
    with tenant(world.organisation.id):
        session = Session.objects.get(pk=world.things["sessions"])
        parts = list(items_of(session))
        document = json.loads("".join(export_session(actor=world.shell, session=session)))
    items = [item for part in parts for item in part]
    assert [item.step for item in items if item.kind == "output"] == list(range(1, steps + 1))
    assert max(map(len, parts)) <= 52
    assert [one["id"] for one in document["items"]] == [item.id for item in items]


def test_no_part_stays_in_a_transaction(world: Any, visit: Any) -> None:
    """Whoever reads slowly holds up nothing in the database."""
    lengthen(world.things["runs"], 250)
    pieces = iter(visit(f"/sessions/{world.things['sessions']}/export.json", "auditor").streaming_content)
    read = b""
    while b'"items"' not in read:
        read += next(pieces)
    with superuser() as database:
        held = database.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
                                "AND datname = current_database()").fetchone()  # fmt: skip
    assert held == (0,)
    assert json.loads(read + b"".join(pieces))["items"][-1]["step"] == 250


def test_a_long_list_is_read_in_parts(world: Any, visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(most: int) -> list[str]:
        monkeypatch.setattr(listing, "MOST_EXPORTED", most)
        text = visit("/audit/?range=all&format=jsonl", "auditor").getvalue().decode()
        return [json.loads(line)["id"] for line in text.splitlines()]

    whole = told(10_000)
    assert len(whole) > 7
    monkeypatch.setattr(listing, "PART", 3)
    assert told(10_000) == whole
    assert told(4) == whole[:4]
    assert told(len(whole)) == whole


@pytest.mark.slow
def test_a_fault_in_the_midst_breaks_the_transfer_off(world: Any) -> None:
    lengthen(world.things["runs"], 250)
    with superuser() as database:
        database.execute("UPDATE runs_step SET output = %s::jsonb WHERE run_id = %s AND number = 240",
                         [UNREADABLE, world.things["runs"]])  # fmt: skip
    with web_server() as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        key = world.keys["auditor"]
        connection.request("GET", f"/api/v1/sessions/{world.things['sessions']}/export",
                           headers={"Authorization": f"Bearer {key}"})  # fmt: skip
        answer = connection.getresponse()
        assert answer.status == 200
        with pytest.raises(IncompleteRead) as broken:
            answer.read()
        connection.close()
    text = broken.value.partial.decode()
    assert '"step": 150' in text
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(text)
