"""The examples of docs/schedules.md work as they stand there."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from foundation.api.signatures import check
from tests.servers import serving

PAPER = Path(__file__).resolve().parents[3] / "docs" / "schedules.md"
SECRET = "rts_of-the-example"
VALUE = {"order": 17}


def example(language: str) -> str:
    """The one block of this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAPER.read_text(), re.DOTALL)
    return str(found)


@pytest.fixture
def door() -> Iterator[tuple[str, list[Any]]]:
    """An address, and what was checked at it."""
    checked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            check(SECRET, dict(self.headers.items()), body, datetime.now(UTC))
            checked.append(json.loads(body))
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b'{"run": "x"}')

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}/", checked


def test_the_python_signs_rightly(door: tuple[str, list[Any]]) -> None:
    url, checked = door
    names: dict[str, Any] = {}
    exec(example("python"), names)  # noqa: S102 - a text of ours
    assert names["call"](url, SECRET, VALUE) == {"run": "x"}
    assert checked == [VALUE]


@pytest.mark.external(programs=("openssl", "curl"))
def test_the_shell_signs_rightly(door: tuple[str, list[Any]]) -> None:
    url, checked = door
    done = subprocess.run(
        ["sh", "-eu", "-c", example("sh")], env=os.environ | {"SECRET": SECRET, "URL": url}, check=True,
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout) == {"run": "x"}
    assert checked == [VALUE]
