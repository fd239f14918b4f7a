"""Bodies stay with auditors: what was said in a run is read with `audit.read_bodies` only, wherever it is asked for.

A canary stands in every body of an organisation. Six roles ask every reading operation of the OpenAPI document, with
each of its parameters, and every page of the console, with its parts, filters and exports. Nobody hears the canary but
an auditor, and of that the record tells. Two others are heard by some: the exact call that people are asked about by
whoever may decide, the question that an agent asks by whoever may answer.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connections
from psycopg.types.json import Jsonb

from agents.registry.models import Agent
from agents.runs import bodies
from agents.runs.control import fork_run
from agents.runs.models import Event, Run, Step
from agents.runs.services import start_run
from foundation.access.roles import ROLES, Permission
from foundation.audit.models import AuditEntry
from foundation.audit.record import entry, record
from foundation.identity.services import create_api_key
from foundation.tenancy.context import tenant
from tests.console.pages import with_waits
from tests.foundation.api.world import Api, World, furnish, make_organisation
from tests.invariants.doors.addresses import address_of, path_of
from tests.invariants.doors.questions import Asked, answered, parameters, scim
from tests.invariants.doors.routes import operations, pages
from tests.invariants.doors.seats import Seat, seat_of
from tests.workers import superuser

SPECIES = "zeisig"  # what every canary begins with, and what is searched for
BODY, CALL, QUESTION = (f"{SPECIES}-{name}-0815" for name in ("body", "call", "question"))
OTHERS = sorted(set(ROLES) - {"auditor"})
TOOLS_WORD = (
    "UPDATE runs_step SET kind = 'tool_call', state = 'failed', error = %(text)s WHERE organisation_id = %(org)s"
)
PLANTED = (
    "UPDATE runs_run SET requester_id = %(nobody)s WHERE organisation_id = %(org)s",
    "UPDATE runs_run SET input = %(json)s, output = %(json)s WHERE organisation_id = %(org)s",
    "UPDATE runs_step SET input = %(json)s, output = %(json)s WHERE organisation_id = %(org)s",
    "UPDATE runs_event SET data = data || %(json)s WHERE organisation_id = %(org)s",
    "UPDATE runs_session SET memory = jsonb_build_object('note', %(memory)s::jsonb) WHERE organisation_id = %(org)s",
    "UPDATE runs_summary SET text = %(text)s WHERE organisation_id = %(org)s",
    "UPDATE runs_blob SET content = convert_to(%(text)s, 'UTF8') WHERE organisation_id = %(org)s",
    "UPDATE runs_callback SET payload = %(json)s WHERE organisation_id = %(org)s",
    "UPDATE runs_inputrequest SET question = %(question)s, schema = %(form)s WHERE organisation_id = %(org)s",
    "UPDATE runs_inputrequest SET answer = %(json)s WHERE organisation_id = %(org)s",
    "UPDATE approvals_approvalrequest SET arguments = %(call)s WHERE organisation_id = %(org)s",
    "UPDATE policies_policydecision SET facts = %(json)s WHERE organisation_id = %(org)s",
)


@pytest.fixture(scope="module")
def ours(django_db_blocker: Any) -> Iterator[World]:
    """An organisation whose bodies are full of canaries; nobody who asks has started its runs."""
    with django_db_blocker.unblock():
        world = with_waits(furnish(make_organisation("bodies")))
        add_steps(world)
        form = {"type": "object", "properties": {"answer": {"type": "string", "title": QUESTION}}}
        values = {
            "org": world.organisation.id, "nobody": world.people["stranger"].id, "text": BODY,
            "json": Jsonb({"said": BODY, "text": BODY}), "memory": Jsonb({"value": BODY, "label": {}}),
            "question": QUESTION, "form": Jsonb(form), "call": Jsonb({"query": CALL}),
        }  # fmt: skip
        with superuser() as database:
            database.execute("SET session_replication_role = replica")
            for statement in (TOOLS_WORD, *PLANTED):
                assert database.execute(statement.encode(), values).rowcount > 0, statement
        with tenant(world.organisation.id):
            told = entry(world.shell, "test.tell", target_name="kept apart", body={"said": BODY})
            record(told)
        world.things["entries"] = told.id
        yield world
        connections.close_all()


def add_steps(world: World) -> None:
    """What the furnished run does not have: an event, a model's answer, and a run that waits for the answer to come."""
    with tenant(world.organisation.id):
        run = Run.objects.get(pk=world.things["runs"])
    common: dict[str, Any] = {"run_id": run.id, "organisation_id": run.organisation_id}
    Step.objects.using("engine").create(**common, number=2, kind="tool_call", state="failed", name="papers.search")
    Event.objects.using("engine").create(**common, number=2, kind="step.failed", data={"step": 2})
    Run.objects.using("engine").filter(pk=run.pk).update(
        state="waiting", waits_for="input", waits_on=world.things["questions"], steps_written=2, events_written=2
    )


def questions(seat: Seat, ours: World) -> Iterator[tuple[str, Callable[[], Any]]]:
    """All that can be read over HTTP: what it is, and how to ask it."""
    for operation in operations():
        if operation.method == "GET":
            path = path_of(operation, ours)
            yield path, lambda p=path: seat.api.get(p)  # type: ignore[misc]
    for path, name in parameters():
        for value in (SPECIES, str(ours.things["runs"]), str(ours.things["sessions"])):
            address = f"{path}?{urlencode({name: value})}"
            yield address, lambda a=address: seat.api.get(a)  # type: ignore[misc]
    for address in places(ours):
        yield address, lambda a=address: seat.visit("GET", a)  # type: ignore[misc]
    for address in scim(ours, SPECIES):
        yield address, lambda a=address: seat.api.get(a)  # type: ignore[misc]


def places(ours: World) -> Iterator[str]:
    """Every page, with what it is searched, filtered and exported by; the parts of the run's; the entry with a body."""
    run = ours.things["runs"]
    for door in pages():
        if "GET" in door.methods:
            address = address_of(door.pattern, ours)
            for query in ("", f"?q={SPECIES}&all=1&range=all&state=decided", "?all=1&range=all&format=csv"):
                yield address + query
    for step in (1, 2):
        yield f"/runs/{run}/?step={step}"
        yield f"/runs/{run}/?step={step}&part=live"
    entry_page = f"/audit/{ours.things['entries']}/"
    yield from (entry_page, f"{entry_page}?body=1", f"/audit/?run={run}&range=all")
    yield from (f"/search?q={ours.things[name]}" for name in ("runs", "sessions", "questions", "approvals"))


def sweep(seat: Seat, ours: World) -> list[Asked]:
    """The answers to all questions."""
    assert seat.session, "whoever asks has signed in before what they do is undone"
    return [answered(what, ask) for what, ask in questions(seat, ours)]


def heard(asked: list[Asked], canary: str) -> set[str]:
    """Where a canary sings."""
    return {one.address.partition("?")[0] for one in asked if canary in one.said}


# The quick suite asks for the role that holds the most.
@pytest.mark.parametrize(
    "role", [pytest.param(one, marks=[] if one == "administrator" else pytest.mark.slow) for one in OTHERS]
)
@pytest.mark.slow
def test_no_answer_to_anybody_else_holds_a_body(ours: World, role: str) -> None:
    asked = sweep(seat_of(ours, role), ours)
    assert len(asked) > 400
    assert sum(one.status == 200 for one in asked) > 200
    assert [one.address for one in asked if one.status >= 500] == []
    assert heard(asked, BODY) == set()
    approval, question = ours.things["approvals"], ours.things["questions"]
    decides, answers = (one in ROLES[role] for one in (Permission.APPROVAL_DECIDE, Permission.RUN_CONTROL))
    call = {f"/api/v1/approvals/{approval}", f"/approvals/{approval}/"}
    assert heard(asked, CALL) == (call if decides else set())
    asks = {f"/api/v1/questions/{question}", f"/questions/{question}/", "/api/v1/questions", "/", "/approvals/",
            f"/runs/{ours.things['runs']}/"}  # fmt: skip
    assert heard(asked, QUESTION) == (asks if answers else set())
    with tenant(ours.organisation.id):
        assert not AuditEntry.objects.filter(action__endswith="read_bodies", actor_id=ours.people[role].id).exists()


@pytest.mark.slow
def test_an_auditor_hears_them_everywhere(ours: World) -> None:
    asked = sweep(seat_of(ours, "auditor"), ours)
    assert [one.address for one in asked if one.status >= 500] == []
    things = ours.things
    run, session = things["runs"], things["sessions"]
    wanted = {
        f"/api/v1/runs/{run}", f"/api/v1/runs/{run}/steps", f"/api/v1/runs/{run}/events", "/api/v1/questions",
        f"/api/v1/runs/{run}/compare/{run}", f"/api/v1/sessions/{session}/items", f"/api/v1/sessions/{session}/memory",
        f"/api/v1/sessions/{session}/export", f"/api/v1/artifacts/{things['artifacts']}/content", "/api/v1/callbacks",
        f"/api/v1/callbacks/{things['callbacks']}", f"/api/v1/questions/{things['questions']}", "/api/v1/decisions",
        f"/api/v1/decisions/{things['decisions']}", f"/runs/{run}/", f"/sessions/{session}/",
        f"/sessions/{session}/export.json", f"/audit/{things['entries']}/",
        f"/sessions/{session}/files/{things['artifacts']}",
    }  # fmt: skip
    assert wanted - heard(asked, BODY) == set()
    assert f"/api/v1/approvals/{things['approvals']}" in heard(asked, CALL)
    assert f"/questions/{things['questions']}/" in heard(asked, QUESTION)


def test_what_stands_in_the_place_of_a_body(ours: World) -> None:
    api, run = seat_of(ours, "administrator").api, ours.things["runs"]
    size = len(f'{{"said": "{BODY}", "text": "{BODY}"}}')
    body = {"withheld": "audit.read_bodies", "bytes": size}
    whole = api.get(f"/runs/{run}").json()
    assert (whole["input"], whole["output"], whole["title"]) == (body, body, ours.canary)
    step = api.get(f"/runs/{run}/steps").json()["items"][1]
    assert (step["input"], step["output"]) == (body, body)
    assert step["error"] == {"withheld": "audit.read_bodies", "bytes": len(BODY)}
    assert api.get(f"/runs/{run}/events").json()["items"][1]["data"]["step"] == 2
    for path in (f"/artifacts/{ours.things['artifacts']}/content", f"/sessions/{ours.things['sessions']}/export"):
        refused = api.get(path)
        assert (refused.status_code, refused.json()["permission"]) == (403, "audit.read_bodies")
    page = seat_of(ours, "administrator").visit("GET", f"/runs/{run}/?step=2").content.decode()
    assert page.count('class="withheld"') == 3
    assert "<strong>The exact call</strong> is withheld" in page


def test_a_reading_is_recorded_once_in_an_hour(ours: World) -> None:
    seat, run, session = seat_of(ours, "auditor"), ours.things["runs"], ours.things["sessions"]

    def readings(action: str) -> list[AuditEntry]:
        with tenant(ours.organisation.id):
            return list(AuditEntry.objects.filter(action=action, actor_id=seat.principal.id))

    before = len(readings("run.read_bodies"))
    for _ in range(2):
        assert BODY in seat.api.get(f"/runs/{run}").content.decode()
        assert BODY in seat.visit("GET", f"/runs/{run}/").content.decode()
        assert BODY in seat.api.get(f"/sessions/{session}/items").content.decode()
        assert BODY in seat.visit("GET", f"/sessions/{session}/").content.decode()
    [told] = readings("run.read_bodies")[before:]
    assert (told.target_id, told.run_id, told.target_name) == (run, run, ours.canary)
    assert [one.target_id for one in readings("session.read_bodies")] == [session]
    with superuser() as database:
        database.execute("SET session_replication_role = replica")
        database.execute(
            "UPDATE audit_auditentry SET at = at - interval '61 minutes' WHERE action = 'run.read_bodies' "
            "AND actor_id = %s", [seat.principal.id],
        )  # fmt: skip
    assert BODY in seat.api.get(f"/runs/{run}").content.decode()
    assert len(readings("run.read_bodies")) == before + 2


def test_whoever_started_a_run_reads_its_input_and_answer_but_no_step(ours: World) -> None:
    with tenant(ours.organisation.id):
        agent = Agent.objects.get(pk=ours.things["agents"])
        run = start_run(actor=ours.actor("operator"), agent=agent, title="Mine", input="my own words")
    Run.objects.using("engine").filter(pk=run.pk).update(output={"text": "for my eyes"}, steps_written=1)
    Step.objects.using("engine").create(
        run_id=run.id, organisation_id=run.organisation_id, number=1, kind="tool_call", state="succeeded",
        name="papers.search", input={"query": BODY}, output={"found": BODY},
    )  # fmt: skip
    mine, theirs = seat_of(ours, "operator"), seat_of(ours, "team-lead")
    whole = mine.api.get(f"/runs/{run.id}").json()
    assert (whole["input"], whole["output"]) == ("my own words", {"text": "for my eyes"})
    page = mine.visit("GET", f"/runs/{run.id}/").content.decode()
    assert "my own words" in page
    assert "for my eyes" in page
    assert "my own words" in mine.visit("GET", f"/sessions/{run.session_id}/").content.decode()
    for said in (mine.api.get(f"/runs/{run.id}/steps").content, mine.visit("GET", f"/runs/{run.id}/?step=1").content):
        assert BODY not in said.decode()
    assert theirs.api.get(f"/runs/{run.id}").json()["input"]["withheld"] == "audit.read_bodies"


def test_a_copy_of_somebody_elses_run_is_not_ones_own(ours: World) -> None:
    with tenant(ours.organisation.id):
        other = Run.objects.get(pk=ours.things["runs"])
        copy = fork_run(actor=ours.actor("operator"), run=other, step=0, input=None, version=None)
        again = fork_run(actor=ours.actor("operator"), run=copy, step=0, input=None, version=None)
        agent = Agent.objects.get(pk=ours.things["agents"])
        own = start_run(actor=ours.actor("operator"), agent=agent, title="Mine", input="my own words")
        fork = fork_run(actor=ours.actor("operator"), run=own, step=0, input=None, version=None)
    api = seat_of(ours, "operator").api
    for made in (copy, again):
        assert api.get(f"/runs/{made.id}").json()["requester"] == str(ours.people["operator"].id)
        assert BODY not in api.get(f"/runs/{made.id}").content.decode()
    assert api.get(f"/runs/{fork.id}").json()["input"] == "my own words"


def test_a_key_without_the_scope_is_no_auditors(ours: World) -> None:
    with tenant(ours.organisation.id):
        _, key = create_api_key(actor=ours.shell, principal=ours.people["auditor"], name="narrow", scopes=("run.view",))
    assert BODY not in Api(key).get(f"/runs/{ours.things['runs']}").content.decode()


def test_without_the_rule_the_canary_sings(ours: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: this test would see a leak."""
    seat, path = seat_of(ours, "viewer"), f"/runs/{ours.things['runs']}/steps"
    assert BODY not in seat.api.get(path).content.decode()
    monkeypatch.setattr(bodies, "withheld", lambda value: value)
    assert BODY in seat.api.get(path).content.decode()
