"""A name server that says nothing holds a connection no longer than its time, and no more than so many threads."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from foundation.outbound.addresses import Allowance, checked_addresses
from foundation.outbound.client import client
from foundation.outbound.resolving import Resolver

SOON = 5.0  # seconds: far below what a silent name server takes


class Silent:
    """The system's look-up while name servers are silent: it answers numbers at once, and names when it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked: list[str] = []
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, *given: Any, **more: Any) -> Any:
        if host[:1].isdecimal() or more.get("flags") == socket.AI_NUMERICHOST:
            return self._real(host, port, *given, **more)
        self.asked.append(host)
        assert self.let_go.wait(60)
        return self._real("127.0.0.1", port, type=socket.SOCK_STREAM)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    names = Silent()
    monkeypatch.setattr("socket.getaddrinfo", names)
    yield names
    names.let_go.set()
    for thread in looking():
        thread.join(SOON)


def looking() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "resolving"]


def test_a_request_fails_within_its_time_and_was_not_sent(allow, server, silent):
    allow(f"silent.example:{server.port}")
    began = time.monotonic()
    with client(timeout=0.2, purpose="test") as door, pytest.raises(httpx2.ConnectTimeout, match=r"silent\.example"):
        door.get(server.url(host="silent.example"))
    assert time.monotonic() - began < SOON
    assert server.asked == []


def test_the_time_of_all_bounds_it_too(allow, server, silent):
    allow(f"silent.example:{server.port}")
    began = time.monotonic()
    with client(timeout=30, longest=0.2, purpose="test") as door, pytest.raises(httpx2.ConnectTimeout):
        door.get(server.url(host="silent.example"))
    assert time.monotonic() - began < SOON


def test_many_who_ask_for_one_name_hold_one_thread_and_share_its_answer(allow, server, silent):
    allow(f"silent.example:{server.port}")
    for _ in range(5):
        with pytest.raises(TimeoutError):
            checked_addresses("silent.example", server.port, Allowance.of(()), 0.01)
    assert silent.asked == ["silent.example"]
    silent.let_go.set()
    with client(timeout=SOON, purpose="test") as door:
        assert door.get(server.url(host="silent.example")).text == "here"


def test_however_many_names_are_silent_so_many_threads_and_no_more(silent):
    resolver = Resolver(most=3)
    for number in range(9):
        with pytest.raises(TimeoutError):
            resolver.addresses(f"n{number}.silent.example", 80, 0.05)
    assert len(silent.asked) == len(looking()) == 3
    silent.let_go.set()
    assert resolver.addresses("n9.silent.example", 80, SOON) == ["127.0.0.1"]


def test_an_address_needs_no_look_up(silent):
    assert Resolver(most=1).addresses("2130706433", 80, 0.01) == ["127.0.0.1"]
    assert silent.asked == []


def test_a_name_that_is_none_says_so():
    with pytest.raises((OSError, UnicodeError)) as failed:
        Resolver().addresses("a..example", 80, SOON)
    assert not isinstance(failed.value, TimeoutError)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_waits_for_no_look_up_of_its_parent(silent):
    with pytest.raises(TimeoutError):
        checked_addresses("silent.example", 80, Allowance.of(["silent.example:80"]), 0.01)
    child = os.fork()
    if child == 0:
        silent.let_go.set()
        try:
            found = checked_addresses("silent.example", 80, Allowance.of(["silent.example:80"]), SOON)
            os._exit(0 if list(found) == ["127.0.0.1"] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
