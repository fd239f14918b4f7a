"""Entries stand or fall with the transaction that they speak of."""

from contextlib import suppress
from dataclasses import replace

import psycopg
import pytest
from django.db import connections, transaction
from django.db.transaction import TransactionManagementError
from django.db.utils import ProgrammingError

from foundation.actors import ANONYMOUS
from foundation.audit.models import AuditBody, AuditEntry
from foundation.audit.record import MAX_DETAILS, body_digest, entry, record, record_refusal
from foundation.ids import uuid7
from foundation.tenancy.context import tenant


def entries_of(organisation):
    return AuditEntry.objects.using("system").in_organisation(organisation)


def test_an_entry_holds_who_did_what(organisation, person):
    target, run = uuid7(), uuid7()
    acting = replace(person, chain=(uuid7(), uuid7()))
    with tenant(organisation):
        record(
            entry(acting, "order.refund", target_kind="order", target_id=target, target_name="A-1", reason="damaged",
                  details={"amount": 5}, body={"note": "private", "score": 0.5}, run=run, step=3)
        )  # fmt: skip
    [found] = entries_of(organisation)
    assert (found.actor_kind, found.actor_id, found.actor_name) == ("person", person.principal, "Ada")
    assert found.actor_chain == [str(principal) for principal in acting.chain]
    assert (found.action, found.target_kind, found.target_id, found.target_name) == (
        "order.refund",
        "order",
        target,
        "A-1",
    )
    assert (found.outcome, found.reason, found.details) == ("ok", "damaged", {"amount": 5})
    assert (found.run_id, found.step, found.request_id, found.address) == (run, 3, "r-1", "::1")
    body = AuditBody.objects.using("system").get(entry_id=found.id)
    assert body.body == {"note": "private", "score": 0.5}
    assert found.body_digest == body_digest(bytes(body.salt), body.body)
    assert len(bytes(body.salt)) == 32


def test_many_are_one_statement(organisation, person, django_assert_num_queries):
    with tenant(organisation), django_assert_num_queries(1):
        record(*(entry(person, "thing.do", details={"n": number}) for number in range(200)))
    assert entries_of(organisation).count() == 200
    assert len({found.xid for found in entries_of(organisation)}) == 1


def test_nothing_is_recorded_outside_a_transaction(organisation, person):
    with pytest.raises(TransactionManagementError):
        record(entry(person, "thing.do"))


def test_an_entry_goes_with_its_transaction(organisation, person):
    with suppress(InterruptedError), tenant(organisation):
        record(entry(person, "thing.do"))
        raise InterruptedError
    assert not entries_of(organisation).exists()


def test_a_refusal_survives_the_roll_back(organisation, person):
    refused = entry(person, "thing.do", outcome="denied", reason="no permission")
    with pytest.raises(PermissionError), tenant(organisation):
        raise PermissionError
    record_refusal(refused, entry(ANONYMOUS, "sign_in.fail", outcome="denied", details={"organisation": organisation}))
    [found] = entries_of(organisation)
    assert (found.outcome, found.reason) == ("denied", "no permission")
    assert entries_of(None).filter(details__organisation=str(organisation)).count() == 1


def test_a_refusal_is_not_recorded_in_what_may_roll_back(organisation, person):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        record_refusal(entry(person, "thing.do", outcome="denied"))


def test_the_engine_brings_its_own_cursor(organisation, person, database):
    parameters = connections["engine"].get_connection_params()
    names = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**names) as connection, connection.cursor() as cursor:
        record(entry(person, "run.start", body=["x"]), entry(person, "run.end"), cursor=cursor)
        assert not entries_of(organisation).exists()
    assert entries_of(organisation).count() == 2


def test_hostile_text_does_not_break_the_record(organisation, person):
    with tenant(organisation):
        record(
            entry(
                replace(person, name="a\x00b\ud800"), "thing.do", reason="\x00", details={"\x00": "\udfff"}, body="\x00"
            )
        )
    [found] = entries_of(organisation)
    assert found.actor_name == "a\ufffdb?"


def test_what_an_entry_cannot_be(person):
    with pytest.raises(ValueError, match="details of thing"):
        entry(person, "thing.do", details={"x": "y" * MAX_DETAILS})
    with pytest.raises(ValueError, match="perhaps"):
        entry(person, "thing.do", outcome="perhaps")
    with pytest.raises(TypeError):
        entry(person, "thing.do", details={"x": object()})


def test_another_organisation_cannot_be_written_to(organisation, person):
    with pytest.raises(ProgrammingError, match="row-level security"), tenant(uuid7()):
        record(entry(person, "thing.do"))
