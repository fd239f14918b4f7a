"""The words to ask the record with."""

from dataclasses import replace
from datetime import timedelta

from django.db.models.functions import Now

from foundation.audit.models import AuditEntry
from foundation.audit.record import entry, record
from foundation.ids import uuid7
from foundation.tenancy.context import tenant


def test_matching(organisation, person):
    target, run = uuid7(), uuid7()
    other = replace(person, name="Grace", principal=uuid7())
    with tenant(organisation):
        record(
            entry(person, "run.start", target_id=target, target_name="Refund desk", run=run),
            entry(person, "run.end.early", outcome="failed", reason="100% broken"),
            entry(other, "runs.list", outcome="denied"),
        )

    with tenant(organisation):
        ours = AuditEntry.objects.in_organisation(organisation)
        now = ours.annotate(now=Now())[0].now

        def actions(found):
            return sorted(found.values_list("action", flat=True))

        assert actions(ours.matching()) == ["run.end.early", "run.start", "runs.list"]
        assert actions(ours.matching(actor=other.principal)) == actions(ours.matching(actor="grace")) == ["runs.list"]
        assert actions(ours.matching(action="run")) == ["run.end.early", "run.start"]
        assert actions(ours.matching(action="run.start")) == ["run.start"]
        assert actions(ours.matching(outcome="failed")) == ["run.end.early"]
        assert actions(ours.matching(text="refund")) == ["run.start"]
        assert actions(ours.matching(text="0% b")) == ["run.end.early"]
        assert actions(ours.matching(text="%")) == ["run.end.early"]
        assert actions(ours.about(target)) == actions(ours.in_run(run)) == ["run.start"]
        assert ours.matching(since=now - timedelta(minutes=1), until=now + timedelta(minutes=1)).count() == 3
        assert not ours.matching(since=now + timedelta(minutes=1)).exists()
        assert not ours.matching(until=now - timedelta(minutes=1)).exists()


def test_pages_go_on_where_the_last_one_ended(organisation, write):
    write(25)
    seen, last = [], None
    with tenant(organisation):
        while page := list(AuditEntry.objects.in_organisation(organisation).before(last)[:10]):
            seen += [found.details["n"] for found in page]
            last = page[-1].id
    assert seen == list(reversed(range(25)))
