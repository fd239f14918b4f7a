"""Other hosts: network namespaces of this machine, each behind a cable to it that a test may pull."""

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


@dataclass(frozen=True)
class Host:
    """A host with its own loopback; it sees `gateway`, this machine's end of the cable, and nothing else."""

    name: str
    cable: str
    address: str
    gateway: str

    def inside(self, *command: str) -> list[str]:
        """The command that runs a command there."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str) -> str:
        """What a command says there."""
        return subprocess.run(self.inside(*command), capture_output=True, text=True, check=True).stdout

    def pull(self) -> None:
        """Nothing passes, and nobody is told."""
        _ip("link", "set", self.cable, "down")

    def plug(self) -> None:
        """It passes again."""
        _ip("link", "set", self.cable, "up")

    def listen(self, port: int) -> socket.socket:
        """A socket of this process that listens on that host's loopback."""

        def make() -> socket.socket:
            with Path(f"/var/run/netns/{self.name}").open() as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NEW_NETWORK):
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.create_server(("127.0.0.1", port), backlog=128)

        # A thread of its own, which ends there: only it has moved.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(make).result()


@contextmanager
def other_host() -> Iterator[Host]:
    """One more host, while the block runs; the test is not run where this machine does not let us make one."""
    tag = f"{os.getpid() % 4096:03x}"
    subnet = f"10.{200 + os.getpid() % 40}.{os.getpid() % 250}"
    host = Host(f"remit-{tag}", f"remit-{tag}-a", f"{subnet}.2", f"{subnet}.1")
    try:
        _ip("netns", "add", host.name)
    except subprocess.CalledProcessError as error:
        said = f"no network namespace can be made here: {error.stderr.strip()}"
        if os.environ.get("REMIT_REQUIRE_EXTERNAL") == "1":
            pytest.fail(f"{said}, and REMIT_REQUIRE_EXTERNAL=1 says that this must run", pytrace=False)
        pytest.skip(f"not run: {said}")
    try:
        _ip("link", "add", host.cable, "type", "veth", "peer", "name", "cable", "netns", host.name)
        _ip("address", "add", f"{host.gateway}/30", "dev", host.cable)
        _ip("-n", host.name, "address", "add", f"{host.address}/30", "dev", "cable")
        for one in ("cable", "lo"):
            _ip("-n", host.name, "link", "set", one, "up")
        host.plug()
        yield host
    finally:
        # The cable goes with the namespace.
        _ip("netns", "delete", host.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
