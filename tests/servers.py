"""The web server as it is started in life: uvicorn with our application, on a free port of loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


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
