"""The sealer takes what is committed, in order, once; whoever else is at work, and whatever breaks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.db import connections, transaction

from foundation.actors import ANONYMOUS
from foundation.audit import sealing
from foundation.audit.merkle import includes, inclusion_proof
from foundation.audit.models import INSTALLATION, AuditEntry, AuditLeaf, Checkpoint, LogTile, SealPosition
from foundation.audit.record import entry, record
from foundation.audit.sealing import seal, stored_tiles
from foundation.audit.verification import verify
from foundation.ids import uuid7
from foundation.keys import KeyUnusableError
from foundation.tenancy.context import tenant


def order(organisation):
    leaves = AuditLeaf.objects.using("system").filter(log=organisation).order_by("index")
    entries = AuditEntry.objects.using("system").in_bulk([leaf.entry_id for leaf in leaves])
    assert [leaf.index for leaf in leaves] == list(range(len(leaves)))
    return [entries[leaf.entry_id].action for leaf in leaves]


def test_each_tick_adds_a_checkpoint(organisation, write, seal_all):
    for action in ("one", "two"):
        write(3, action)
        seal_all()
    seal_all()
    assert order(organisation) == ["one"] * 3 + ["two"] * 3
    sizes = Checkpoint.objects.using("system").filter(log=organisation).order_by("size").values_list("size", flat=True)
    assert list(sizes) == [3, 6]
    assert verify(organisation).ok


def test_an_entry_waits_for_earlier_transactions(organisation, person, write, seal_all):
    seal_all()
    with transaction.atomic(using="engine"):
        record(entry(person, "early"), using="engine")
        write(1, "late")
        seal_all()
        assert order(organisation) == []  # `early` may still be committed, and then comes first
    seal_all()
    assert order(organisation) == ["early", "late"]


def test_what_is_rolled_back_is_never_sealed(organisation, person, write, seal_all):
    with transaction.atomic(using="engine"):
        record(entry(person, "never"), using="engine")
        transaction.set_rollback(True, using="engine")
    write(1, "kept")
    seal_all()
    assert order(organisation) == ["kept"]


def test_more_than_the_limit_is_left_for_the_next_tick(organisation, write, seal_all):
    seal_all()
    write(10)
    assert [seal(limit=4) for _ in range(4)] == [4, 4, 2, 0]
    assert verify(organisation).size == 10


def test_a_sealer_that_breaks_leaves_nothing_behind(organisation, write, seal_all, monkeypatch):
    write(300)
    with monkeypatch.context() as broken:
        broken.setenv(sealing.KEY_VARIABLE, "no key")
        with pytest.raises(KeyUnusableError):
            seal_all()
    assert order(organisation) == []
    seal_all()
    assert verify(organisation).size == 300


def test_only_one_seals(organisation, write):
    with transaction.atomic(using="engine"), connections["engine"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sealing._LOCK])
        write()
        assert seal() == 0


def test_writers_and_sealers_at_once(organisation, person, seal_all, database):
    written = threading.Event()

    def within(job):
        try:
            with database():
                job()
        finally:
            connections.close_all()

    def write():
        for number in range(25):
            with suppress(InterruptedError), tenant(organisation):
                record(*(entry(person, "thing.do") for _ in range(1 + number % 4)))
                if number % 5 == 0:
                    raise InterruptedError

    def keep_sealing():
        while not written.is_set():
            seal(limit=7)

    with ThreadPoolExecutor(6) as pool:
        sealers = [pool.submit(within, keep_sealing) for _ in range(2)]
        try:
            for writer in [pool.submit(within, write) for _ in range(4)]:
                writer.result(timeout=60)
        finally:
            written.set()
        for sealer in sealers:
            sealer.result(timeout=60)
    seal_all()
    result = verify(organisation)
    assert result.ok, result.message
    entries = AuditEntry.objects.using("system").in_organisation(organisation)
    assert result.size == entries.count() == 4 * sum(1 + number % 4 for number in range(25) if number % 5)
    xids = dict(entries.values_list("id", "xid"))
    sealed = AuditLeaf.objects.using("system").filter(log=organisation).order_by("index")
    in_order = [(xids[leaf.entry_id], leaf.entry_id) for leaf in sealed]
    assert in_order == sorted(in_order)


def test_after_a_restore_into_another_cluster(organisation, write, seal_all, tamper):
    """There transaction ids start again: old ones lie beyond the new horizon, new ones below the position."""
    write(2, "sealed before")
    seal_all()
    write(2, "not sealed before")
    tamper(
        "UPDATE audit_auditentry SET epoch = 1, xid = (xid::text::bigint + 1000000000000)::text::xid8 "
        "WHERE organisation_id = ORG",
        "UPDATE audit_sealposition SET epoch = 1, xid = (xid::text::bigint + 1000000000000)::text::xid8",
    )
    write(2, "after")
    assert verify(organisation).ok
    seal_all()
    assert order(organisation) == ["sealed before"] * 2 + ["not sealed before"] * 2 + ["after"] * 2
    assert verify(organisation).ok
    assert SealPosition.objects.using("system").get().epoch != 1
    write(1, "later")
    seal_all()
    assert order(organisation)[-1] == "later"


def test_lost_tiles_are_made_anew(organisation, write, seal_all, tamper):
    write(300)
    seal_all()
    tamper("DELETE FROM audit_logtile WHERE log = ORG")
    write(1)
    seal_all()
    assert verify(organisation).ok
    assert LogTile.objects.using("system").filter(log=organisation).count() == 3


def test_nothing_is_signed_that_contradicts_a_checkpoint(organisation, write, seal_all, tamper):
    write(5)
    seal_all()
    tamper("UPDATE audit_auditleaf SET leaf_hash = sha256('x') WHERE log = ORG AND index = 2")
    tamper("DELETE FROM audit_logtile WHERE log = ORG")
    write(5)
    seal_all()
    assert Checkpoint.objects.using("system").filter(log=organisation).count() == 1
    assert verify(organisation).first_bad == 2


def test_a_proof_from_the_stored_tree(organisation, write, seal_all):
    for _ in range(3):
        write(111)
        seal_all()
    head = Checkpoint.objects.using("system").filter(log=organisation).order_by("-size")[0]
    leaf = AuditLeaf.objects.using("system").get(log=organisation, index=200)
    proof = inclusion_proof(200, head.size, stored_tiles(organisation, head.size).node)
    assert includes(
        leaf=bytes(leaf.leaf_hash), index=200, size=head.size, proof=proof, root=bytes(head.root_hash)
    )  # fmt: skip


def test_entries_of_no_organisation_have_a_log(seal_all, database):
    mark = uuid7()
    with transaction.atomic():
        record(entry(ANONYMOUS, "sign_in.fail", outcome="denied", details={"mark": mark}))
    seal_all()
    found = AuditEntry.objects.using("system").get(details__mark=str(mark))
    assert AuditLeaf.objects.using("system").get(entry_id=found.id).log == INSTALLATION
    assert verify(None).ok
