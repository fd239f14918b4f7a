"""No module but foundation.outbound opens connections to the world; exceptions have a reason, and stale ones fail."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOOR = "platform/foundation/outbound/"
CONNECTS = {
    "aiohttp", "ftplib", "grpc", "http.client", "httpcore", "httpcore2", "httpx", "httpx2", "imaplib", "poplib",
    "pycurl", "requests", "smtplib", "socket", "socketserver", "telnetlib", "urllib.request", "urllib3", "websocket",
    "websockets", "xmlrpc.client",
}  # fmt: skip
ASYNCIO = {"open_connection", "create_connection", "open_unix_connection", "create_unix_connection"}
EXCEPTIONS = {
    ("platform/config/launch/ports.py", "socket"): "looks for free ports on loopback; connects to nothing",
    ("platform/config/launch/health.py", "http.client"): "the supervisor asks its own web process on loopback",
}


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for place in ("platform", "agents", "governance", "manage.py"):
        found = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py"))
        for path in found:
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(DOOR):
                yield name, ast.parse(path.read_text())


def _connecting(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            yield from {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & CONNECTS
        if isinstance(node, ast.Attribute) and node.attr in ASYNCIO:
            yield f"asyncio.{node.attr}"


def test_nothing_else_connects():
    used = {(name, module) for name, tree in _sources() for module in _connecting(tree)}
    assert sorted(used - EXCEPTIONS.keys()) == []
    assert sorted(EXCEPTIONS.keys() - used) == [], "stale exceptions"


def test_openai_goes_through_the_door():
    """Without `http_client` the package would make a client of its own, which checks nothing."""
    bare = [
        f"{name}:{node.lineno}"
        for name, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in {"OpenAI", "AsyncOpenAI", "AzureOpenAI"}
        and "http_client" not in {keyword.arg for keyword in node.keywords}
    ]
    assert bare == []


def test_the_guard_sees():
    """The walk above finds each way of writing an import."""
    source = """
import urllib.request as r
from http import client
from httpx2 import Client
import socket, json
asyncio.open_connection("x")
"""
    assert set(_connecting(ast.parse(source))) == {
        "urllib.request", "http.client", "httpx2", "socket", "asyncio.open_connection",
    }  # fmt: skip
