"""The record's pages: filters in the address, export, body, verification."""

import csv
import io
import json

from foundation.audit.models import AuditEntry
from foundation.audit.record import entry, record
from foundation.audit.sealing import seal
from foundation.tenancy.context import tenant
from tests.console.pages import Visit
from tests.foundation.api.world import World
from tests.workers import until


def test_filters_narrow_and_stand_in_the_address(world: World, visit: Visit):
    page = visit("/audit/?action=run.start&range=all", "auditor").content.decode()
    assert "run.start" in page
    assert "policy.create</a>" not in page
    assert "action=run.start" in page


def test_an_export_has_the_rows_of_the_view_and_no_formula(world: World, visit: Visit):
    with tenant(world.organisation.id):
        record(entry(world.shell, "test.formula", target_kind="x", target_name="=cmd|' /C calc'!A0"))
    answer = visit("/audit/?action=test.formula&range=all&format=csv", "auditor")
    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert row["target_name"] == "'=cmd|' /C calc'!A0"
    lines = visit("/audit/?action=test.formula&range=all&format=jsonl", "auditor").getvalue().decode().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["test.formula"]


def test_reading_a_body_is_recorded(world: World, visit: Visit):
    with tenant(world.organisation.id):
        record(entry(world.shell, "test.body", target_kind="x", body={"mail": "private words"}))
        written = AuditEntry.objects.get(organisation_id=world.organisation.id, action="test.body")
    assert "private words" not in visit(f"/audit/{written.id}/", "auditor").content.decode()
    assert "private words" in visit(f"/audit/{written.id}/?body=1", "auditor").content.decode()
    with tenant(world.organisation.id):
        reads = AuditEntry.objects.filter(organisation_id=world.organisation.id, action="record.read_body")
        assert reads.get().target_id == written.id


def test_who_administers_reads_no_body(world: World, visit: Visit):
    """The entry itself, with the digest of its body, is for everybody who may see the record."""
    with tenant(world.organisation.id):
        record(entry(world.shell, "test.body", target_kind="x", body={"mail": "private words"}))
        written = AuditEntry.objects.get(organisation_id=world.organisation.id, action="test.body")
    page = visit(f"/audit/{written.id}/", "administrator").content.decode()
    assert written.body_digest in page or "The sealer" in page
    assert "audit.read_bodies" in page
    assert "Read the body" not in page
    refused = visit(f"/audit/{written.id}/?body=1", "administrator")
    assert refused.status_code == 403
    assert "private words" not in refused.content.decode()
    with tenant(world.organisation.id):
        denied = AuditEntry.objects.filter(organisation_id=world.organisation.id, action="access.refuse")
        assert "audit.read_bodies" in denied.latest("id").reason


def _last_kind(visit: Visit) -> str:
    while seal():
        pass
    exported = b"".join(visit("/audit/record.jsonl", "auditor").streaming_content).decode().splitlines()
    kind: str = json.loads(exported[-1])["kind"]
    return kind


def test_the_record_is_verified_and_exported(world: World, visit: Visit):
    # The sealer waits for older transactions of the whole cluster, also for those of the suite's other workers.
    until(lambda: _last_kind(visit) == "checkpoint", 60, lambda: _last_kind(visit))
    assert "Verified." in visit("/audit/verify/", "auditor", form={}).content.decode()
    answer = visit("/audit/record.jsonl", "auditor")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert json.loads(lines[0])["kind"] == "log"
    assert json.loads(lines[-1])["kind"] == "checkpoint"


def test_an_id_that_is_none_is_a_bad_request(visit: Visit):
    assert visit("/audit/?run=nonsense", "auditor").status_code == 400
    assert visit("/audit/?before=nonsense", "auditor").status_code == 400
