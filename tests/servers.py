"""Servers on free ports of loopback: the web's as it is started in life, and those that a test makes up."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socketserver import BaseServer

ROOT = Path(__file__).resolve().parents[1]
_LOOK = 0.02  # seconds between two looks whether it is to end; by itself a server takes half a second, in every test


@contextmanager
def serving(server: BaseServer) -> Iterator[int]:
    """The port of a server of Python's own, in a thread, which ends with the block."""
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def web_server(**environment: str) -> Iterator[int]:
    """The port of a running web process, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port), "--log-level",
               "warning", "--timeout-graceful-shutdown", "1"]  # fmt: skip
    path = os.pathsep.join([str(ROOT), str(ROOT / "platform")])
    given = os.environ | {"PYTHONPATH": path, "REMIT_POOL_SIZE": "8"} | environment
    process = subprocess.Popen(command, cwd=ROOT, env=given)
    try:
        deadline = time.monotonic() + 60
        while _status(port) != 200:
            assert process.poll() is None, "The web process ended."
            assert time.monotonic() < deadline, "The web process did not answer."
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _status(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
