"""The SQL connector on the sample's orders: reads what its queries name, and nothing else."""

import socket
import struct
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agents.labels import Confidentiality, Integrity
from agents.tools.port import ToolEffect, ToolRefusedError
from agents.tools.sql import SqlConnector
from tests.servers import serving

CONNECTOR = SqlConnector()


@pytest.fixture(autouse=True)
def allowed(shop, settings):
    """The operator allowed the server of these tests, and a port where nobody listens."""
    port = conninfo_to_dict(shop["orders"])["port"]
    settings.REMIT_OUTBOUND_ALLOW = (f"127.0.0.1:{port}", "127.0.0.1:9")


def query(sql, *, properties=(), **more):
    schema = {"type": "object", "properties": {name: {} for name in properties}}
    return {"queries": {"q": {"description": "d", "sql": sql, "schema": schema, **more}}}


def test_each_query_is_a_reading_operation():
    (definition,) = CONNECTOR.definitions(query("SELECT 1"))
    assert (definition.name, definition.effect) == ("q", ToolEffect.READ)


def test_rows_as_json_with_the_label_of_the_query(shop, ask):
    settings = query(
        "SELECT order_number, placed_on, lines, now() AS at, 1.5::numeric AS n, 'NaN'::float8 AS f"
        " FROM sample_orders.order_overview WHERE order_number = %(order)s",
        properties=["order"],
        integrity="trusted",
    )
    output = CONNECTOR.call(ask("q", secret=shop["orders"], settings=settings, order="NW-10021"))
    (row,) = output.content["rows"]
    assert row["order_number"] == "NW-10021"
    assert row["lines"] == [{"article": "Desk lamp Halden, brass", "quantity": 1, "unit_cents": 4990}]
    assert (row["n"], row["f"]) == ("1.5", None)
    assert isinstance(row["placed_on"], str)
    assert output.label.integrity is Integrity.TRUSTED
    assert output.label.confidentiality is Confidentiality.CONFIDENTIAL


def test_an_absent_argument_is_null(shop, ask):
    settings = query("SELECT %(a)s::text IS NULL AS absent", properties=["a"])
    assert CONNECTOR.call(ask("q", secret=shop["orders"], settings=settings)).content["rows"] == [{"absent": True}]


def test_an_argument_stays_a_value(shop, ask):
    settings = query("SELECT number FROM sample_orders.orders WHERE number = %(order)s", properties=["order"])
    request = ask("q", secret=shop["orders"], settings=settings, order="x' OR true --")
    assert CONNECTOR.call(request).content["rows"] == []


def test_more_rows_than_the_limit_are_cut_and_said(shop, ask):
    settings = query("SELECT generate_series(1, 5) AS n") | {"row_limit": 2}
    content = CONNECTOR.call(ask("q", secret=shop["orders"], settings=settings)).content
    assert content == {"rows": [{"n": 1}, {"n": 2}], "truncated": True}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sample_ledger.payouts RETURNING id",
        "SELECT 1; DELETE FROM sample_ledger.payouts",
        "COMMIT; BEGIN; DELETE FROM sample_ledger.payouts",
        "SET TRANSACTION READ WRITE",
    ],
)
def test_nothing_is_written_even_with_a_credential_that_could(owner, owner_url, ask, statement):
    owner.execute(
        "INSERT INTO sample_ledger.payouts (idempotency_key, account, amount_cents, currency, reason)"
        " VALUES ('k', 'DE02120300000000202051', 1, 'EUR', 'r')"
    )
    with pytest.raises(ToolRefusedError, match="refused the query"):
        CONNECTOR.call(ask("q", secret=owner_url, settings=query(statement)))
    assert owner.execute("SELECT count(*) FROM sample_ledger.payouts").fetchone() == (1,)


def test_a_slow_query_is_stopped(shop, ask):
    request = ask("q", secret=shop["orders"], settings=query("SELECT pg_sleep(30)"))
    request = type(request)(**{name: getattr(request, name) for name in request.__slots__} | {"timeout": 0.2})
    with pytest.raises(ToolRefusedError, match="too long"):
        CONNECTOR.call(request)


def test_no_more_rows_are_read_than_are_asked_for(shop, ask):
    """A query with millions of rows would otherwise fill the memory of a worker that is everybody's."""
    settings = query("SELECT 1 / (500000 - n) AS n FROM generate_series(1, 1000000) n") | {"row_limit": 2}
    content = CONNECTOR.call(ask("q", secret=shop["orders"], settings=settings)).content
    assert content == {"rows": [{"n": 0}, {"n": 0}], "truncated": True}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT repeat('x', 4200000)",
        "SELECT repeat('x', 50000000)",
        "SELECT repeat('x', 1000000) FROM generate_series(1, 5)",
        "SELECT array_fill(1, ARRAY[9000000])",
    ],
)
def test_an_answer_that_is_too_large_is_not_taken(shop, ask, statement):
    with pytest.raises(ToolRefusedError, match="larger than 4 MiB: ask for fewer rows"):
        CONNECTOR.call(ask("q", secret=shop["orders"], settings=query(statement)))


def test_one_that_is_just_small_enough_is(shop, ask):
    settings = query("SELECT repeat('x', 1000000) AS x FROM generate_series(1, 4)")
    content = CONNECTOR.call(ask("q", secret=shop["orders"], settings=settings)).content
    assert [len(row["x"]) for row in content["rows"]] == [1_000_000] * 4


def test_rows_behind_the_limit_do_not_count(shop, ask):
    settings = query("SELECT repeat('x', 100000) AS x FROM generate_series(1, 1000)") | {"row_limit": 2}
    content = CONNECTOR.call(ask("q", secret=shop["orders"], settings=settings)).content
    assert (len(content["rows"]), content["truncated"]) == (2, True)


class _Stranger(StreamRequestHandler):
    """A server of the protocol (version 3) that lets everybody in."""

    def handle(self):
        (length,) = struct.unpack("!i", self.rfile.read(4))
        if self.rfile.read(length - 4) == struct.pack("!i", 80877103):  # asked for TLS
            self.wfile.write(b"N")
            (length,) = struct.unpack("!i", self.rfile.read(4))
            self.rfile.read(length - 4)
        self.wfile.write(b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!i", 5) + b"I")
        self.speak()


class _Gigabyte(_Stranger):
    """Answers whatever is asked with a row of a gigabyte, for as long as anybody listens."""

    sent = 0

    def speak(self):
        self.rfile.read(1)
        shape = struct.pack("!h2sihihih", 1, b"x", 0, 0, 25, -1, -1, 0)
        self.wfile.write(b"T" + struct.pack("!i", len(shape) + 4) + shape)
        self.wfile.write(b"D" + struct.pack("!ihi", 2**30, 1, 2**30 - 10))
        with suppress(OSError):
            while type(self).sent < 2**30:
                type(self).sent += self.connection.send(bytes(65536))


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells how much a connection has received")
def test_a_stranger_cannot_fill_the_memory_with_one_row(ask, settings):
    with serving(ThreadingTCPServer(("127.0.0.1", 0), _Gigabyte)) as port:
        settings.REMIT_OUTBOUND_ALLOW = (f"127.0.0.1:{port}",)
        secret = f"host=127.0.0.1 port={port} dbname=d user=u password=p"
        with pytest.raises(ToolRefusedError, match="larger than 4 MiB"):
            CONNECTOR.call(ask("q", secret=secret, settings=query("SELECT 1")))
    assert _Gigabyte.sent < 2**28


class _Silent(_Stranger):
    """Says nothing any more."""

    def speak(self):
        self.rfile.read()  # until the other side hangs up


@pytest.mark.slow
def test_a_server_that_says_nothing_holds_nobody_for_ever(ask, settings):
    """Whose server it is says the credential, which any organisation sets; the worker is everybody's."""
    with serving(ThreadingTCPServer(("127.0.0.1", 0), _Silent)) as port:
        settings.REMIT_OUTBOUND_ALLOW = (f"127.0.0.1:{port}",)
        secret = f"host=127.0.0.1 port={port} dbname=d user=u password=p"
        request = ask("q", secret=secret, settings=query("SELECT 1"))
        request = type(request)(**{name: getattr(request, name) for name in request.__slots__} | {"timeout": 0.2})
        with pytest.raises(ToolRefusedError, match="broke"):
            CONNECTOR.call(request)


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        (None, "lacks"),
        ("host=127.0.0.1 dbname=d user=u", "lacks password"),
        ("host=/var/run dbname=d user=u password=canary", "socket"),
        ("host=127.0.0.1 port=9 dbname=d user=u password=canary", "cannot be reached"),
        ("canary without form", "no connection string"),
        ("service=canary", "lacks"),
    ],
)
def test_an_error_says_nothing_of_the_secret(ask, secret, message):
    with pytest.raises(ToolRefusedError, match=message) as caught:
        CONNECTOR.call(ask("q", secret=secret, settings=query("SELECT 1")))
    assert "canary" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "127.0.0.1,127.0.0.1"])
def test_an_address_inside_is_not_reached_unless_the_operator_allowed_it(shop, ask, settings, host):
    settings.REMIT_OUTBOUND_ALLOW = ()
    secret = make_conninfo(shop["orders"], host=host)
    with pytest.raises(ToolRefusedError, match=r"not a public address|cannot be reached"):
        CONNECTOR.call(ask("q", secret=secret, settings=query("SELECT 1")))


def test_an_address_beside_the_name_is_not_used(shop, ask):
    secret = make_conninfo(shop["orders"], hostaddr="169.254.169.254", options="-c search_path=x")
    output = CONNECTOR.call(ask("q", secret=secret, settings=query("SELECT current_setting('search_path') AS path")))
    assert output.content["rows"] == [{"path": '"$user", public'}]


def test_a_query_that_is_not_listed_is_refused(shop, ask):
    with pytest.raises(ToolRefusedError, match="There is no query"):
        CONNECTOR.call(ask("other", secret=shop["orders"], settings=query("SELECT 1")))
