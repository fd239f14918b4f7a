"""Secrets stay inside: a canary in a key and in a credential comes out nowhere but where it is to be sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.catalogue.models import Provider
from foundation.secrets.sealing import UnsealError, unseal
from tests.workers import Worker, running, superuser, until

KEY, SECRET = "canary-key-4711-quite-long", "canary-secret-0815-quite-long"


def every_cell() -> Iterator[tuple[str, str]]:
    """Every row of every table as text, partitions and the broker's queue included."""
    with superuser() as database:
        tables = database.execute(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace NOT IN "
            "('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        ).fetchall()  # fmt: skip
        for (table,) in tables:
            for (row,) in database.execute(f"SELECT t::text FROM {table} t".encode()):
                yield table, row


def arguments_of_processes() -> str:
    return "\n".join(
        path.read_bytes().decode(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )


@pytest.mark.slow
def test_canaries_come_out_nowhere(make_house: Any, say: Any, call: Any, tmp_path: Path) -> None:
    house = make_house(key=KEY, secret=SECRET)
    house.model.answers = {"worker": [
        *(call(f"witness.{kind}", note=note) for kind in ("idempotent", "effect") for note in ("echo", "tell")),
        call("witness.effect", note="fault"), say("Done."),
    ]}  # fmt: skip
    runs = [house.start(), house.start(), house.start()]
    worker = Worker(tmp_path, house.model.url.split("/")[2])
    seen = ""
    house.model.fail_with = [401]
    with running(worker):
        until(lambda: all(house.is_over(run) or house.read(run).waits_for == "person" for run in runs), 90,
              lambda: [house.read(run).state for run in runs])  # fmt: skip
        seen += arguments_of_processes()
    assert {house.read(run).state for run in runs} == {"failed", "waiting"}
    seen += worker.log.read_text() + str(house.model.asked)
    for text in (KEY, SECRET):
        assert text not in seen
        leaks = [table for table, row in every_cell() if text in row]
        assert leaks == []
    assert set(house.model.keys) == {f"Bearer {KEY}"}
    assert any("[secret]" in str(step.output) for run in runs for step in house.steps(run)), "it was sent back"


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_endpoint_that_sends_the_key_back_does_not_publish_it(make_house: Any, status: int) -> None:
    house = make_house(key=KEY)
    house.model.fail_with = [status] * 9
    house.model.fail_message = f"Incorrect API key provided: {KEY}"
    run = house.run(house.start())
    assert run.state in {"failed", "waiting"}
    assert KEY not in run.failure
    (step,) = house.steps(run)
    assert "Incorrect API key provided: [secret]" in step.error
    with house.in_tenant():
        assert KEY not in str(run.__dict__)


def test_sealed_values_open_in_their_own_place_only(make_house: Any) -> None:
    house = make_house(key=KEY)
    with house.in_tenant():
        provider = Provider.objects.get()
    assert KEY not in provider.sealed_key
    with pytest.raises(UnsealError):
        unseal(provider.sealed_key, context="provider:another")


def test_no_role_reads_another_database_files(house: Any, database_urls: dict[str, str]) -> None:
    for name, url in database_urls.items():
        if name == "BROKER_URL":
            continue
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT pg_read_file('postgresql.conf')")
