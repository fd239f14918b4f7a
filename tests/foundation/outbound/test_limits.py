"""An answer is as large as the caller expects, or it is not taken."""

import gzip

import pytest

from foundation.outbound.client import client
from foundation.outbound.errors import OutboundLimitError


@pytest.mark.parametrize(("size", "taken"), [(1_000, True), (1_001, False), (5_000_000, False)])
def test_the_size_of_an_answer(allow, server, size, taken):
    server.answers["/"] = (200, {}, b"x" * size)
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test", max_bytes=1_000) as door:
        if taken:
            assert len(door.get(server.url()).content) == size
        else:
            with pytest.raises(OutboundLimitError, match="more than 1000 bytes"):
                door.get(server.url())


def test_a_stream_is_counted_too(allow, server):
    server.answers["/"] = (200, {}, b"x" * 200_000)
    allow(f"127.0.0.1:{server.port}")
    with (
        client(timeout=3, purpose="test", max_bytes=100_000) as door,
        door.stream("GET", server.url()) as answer,
        pytest.raises(OutboundLimitError),
    ):
        for _ in answer.iter_bytes():
            pass


def test_a_compressed_answer_is_not_unpacked(allow, server):
    server.answers["/"] = (200, {"content-encoding": "gzip"}, gzip.compress(b"x" * 10_000_000))
    allow(f"127.0.0.1:{server.port}")
    with client(timeout=3, purpose="test") as door, pytest.raises(OutboundLimitError, match="compressed"):
        door.get(server.url())
    assert server.asked[0][1]["accept-encoding"] == "identity"
