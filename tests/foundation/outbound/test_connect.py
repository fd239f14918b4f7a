"""Nothing inside is reached, however it is written; what the operator named is."""

import httpx2
import openai
import pytest

from foundation.outbound.client import client
from foundation.outbound.errors import OutboundRefusedError

FORMS = [
    "127.0.0.1", "localhost", "LOCALHOST", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "0",
    "0.0.0.0",  # noqa: S104 - it is refused
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "127.0.0.1.", "user:pw@127.0.0.1", "8.8.8.8@127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_loopback_is_refused_in_every_form(allow, server, form):
    with client(timeout=3, purpose="test") as door, pytest.raises((OutboundRefusedError, httpx2.ConnectError)):
        door.get(f"http://{form}:{server.port}/")
    assert server.asked == []


@pytest.mark.parametrize("form", ["127.0.0.1", "localhost", "2130706433", "[::1]"])
def test_the_refusal_is_one_line_and_says_what_to_do(allow, server, form):
    with client(timeout=3, purpose="test") as door, pytest.raises(OutboundRefusedError) as refused:
        door.get(f"http://{form}:{server.port}/")
    assert "\n" not in str(refused.value)
    assert "REMIT_OUTBOUND_ALLOW" in str(refused.value)


def test_what_the_operator_named_is_reached(allow, server):
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test") as door:
        assert door.get(server.url("/x")).text == "here"
        with pytest.raises(OutboundRefusedError):
            door.get(server.url("/y", host="localhost"))
    [(path, headers)] = server.asked
    assert path == "/x"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["user-agent"] == "remit (test)"


def test_a_proxy_of_the_environment_is_not_used(allow, server, serve, monkeypatch):
    proxy = serve()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url())
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test") as door:
        door.get(server.url())
    assert len(server.asked) == 1
    assert proxy.asked == []


def test_tls_asks_for_the_name_and_checks_it(allow, serve, certificate):
    ours, theirs = certificate
    server = serve(ours)
    allow(f"localhost:{server.port}", f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test", trust=theirs) as door:
        assert door.get(server.url("/", host="localhost", scheme="https")).text == "here"
        with pytest.raises(httpx2.ConnectError):
            door.get(server.url("/", host="127.0.0.1", scheme="https"))
    assert server.names[0] == "localhost"
    assert server.asked[0][1]["host"] == f"localhost:{server.port}"
    with client(timeout=3, purpose="test") as door, pytest.raises(httpx2.ConnectError):
        door.get(server.url("/", host="localhost", scheme="https"))


def test_openai_takes_the_client(allow, server):
    body = b'{"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]}'
    server.answers["/v1/models"] = (200, {"content-type": "application/json"}, body)
    for pairs, reached in (((), False), ((f"127.0.0.1:{server.port}",), True)):
        allow(*pairs)
        with client(timeout=3, purpose="test") as door:
            api = openai.OpenAI(base_url=server.url("/v1"), api_key="none", http_client=door, max_retries=0)
            if reached:
                assert [model.id for model in api.models.list()] == ["m"]
                continue
            with pytest.raises(openai.APIConnectionError) as failed:
                api.models.list()
            assert isinstance(failed.value.__cause__, OutboundRefusedError)
