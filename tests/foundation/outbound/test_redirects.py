"""Every redirect is a new connection, and judged like one."""

import httpx2
import pytest

from foundation.outbound.client import MAX_REDIRECTS, client
from foundation.outbound.errors import OutboundRefusedError


def test_a_redirect_to_a_refused_address_is_not_followed(allow, server, serve):
    inside = serve()
    server.redirect("/", inside.url("/secret"))
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test") as door, pytest.raises(OutboundRefusedError):
        door.get(server.url())
    assert inside.asked == []


@pytest.mark.parametrize("form", ["localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_nor_in_another_form(allow, server, form):
    server.redirect("/", f"http://{form}:{server.port}/inside")
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test") as door, pytest.raises(OutboundRefusedError):
        door.get(server.url())
    assert [path for path, _ in server.asked] == ["/"]


def test_nobody_is_led_to_what_the_operator_opened(allow, server, serve):
    opened = serve()
    server.redirect("/", opened.url("/"))
    allow(f"127.0.0.1:{server.port}", f"127.0.0.1:{opened.port}")
    with client(timeout=3, purpose="test") as door, pytest.raises(OutboundRefusedError, match="led by"):
        door.get(server.url())
    assert opened.asked == []


@pytest.mark.parametrize(("hops", "followed"), [(MAX_REDIRECTS, True), (MAX_REDIRECTS + 1, False)])
def test_five_redirects_and_no_more(allow, server, hops, followed):
    for hop in range(hops):
        server.redirect(f"/{hop}", f"/{hop + 1}")
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test") as door:
        if followed:
            assert door.get(server.url("/0")).text == "here"
        else:
            with pytest.raises(httpx2.TooManyRedirects):
                door.get(server.url("/0"))


def test_never_from_https_to_http(allow, server, serve, certificate):
    ours, theirs = certificate
    safe = serve(ours)
    safe.redirect("/", server.url())
    allow(f"localhost:{safe.port}", f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test", trust=theirs) as door, pytest.raises(OutboundRefusedError, match="https"):
        door.get(safe.url(host="localhost", scheme="https"))
    assert server.asked == []


def test_a_caller_may_follow_none(allow, server):
    server.redirect("/", "/next")
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test", follow_redirects=False) as door:
        assert door.get(server.url()).status_code == 302
