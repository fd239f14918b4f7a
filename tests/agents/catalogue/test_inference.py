"""Inference over real HTTP: both APIs there and back, and every way in which an endpoint can fail."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from agents.catalogue.inference import InferenceError, answer
from agents.catalogue.messages import Endpoint, ModelRequest
from agents.catalogue.wire import from_wire, to_wire
from tests.servers import serving

TOOL = {"name": "orders.find", "description": "Finds.", "schema": {"type": "object", "properties": {}}}
ITEMS = [
    {"type": "message", "role": "user", "text": "Where is it?"},
    {"type": "call", "call_id": "c1", "name": "orders.find", "arguments": "{}"},
    {"type": "call", "call_id": "c2", "name": "orders.find", "arguments": "{}"},
    {"type": "result", "call_id": "c1", "output": "here"},
    {"type": "result", "call_id": "c2", "output": "there"},
]
RESPONSE = {
    "id": "r", "object": "response", "created_at": 0, "model": "m", "status": "completed", "parallel_tool_calls": True,
    "tool_choice": "auto", "tools": [],
    "output": [
        {"type": "message", "id": "m", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "Look.", "annotations": []}]},
        {"type": "function_call", "id": "f", "call_id": "c3", "name": "orders__find", "arguments": "{}"},
    ],
    "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "input_tokens_details": {"cached_tokens": 0},
              "output_tokens_details": {"reasoning_tokens": 0}},
}  # fmt: skip
CHAT = {
    "id": "r", "object": "chat.completion", "created": 0, "model": "m",
    "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "Look.",
        "tool_calls": [{"id": "c3", "type": "function", "function": {"name": "orders__find", "arguments": "{}"}}]}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}  # fmt: skip


class Answering:
    """What the endpoint answers, and what it was sent."""

    status: int = 200
    body: bytes = b""
    sent: Any = None
    url: str = ""


@pytest.fixture
def endpoint(settings: Any) -> Iterator[Answering]:
    state = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.sent = (self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        state.url = f"http://127.0.0.1:{port}/v1"
        settings.REMIT_OUTBOUND_ALLOW = (f"127.0.0.1:{port}",)
        yield state


def ask(endpoint: Answering, api: str = "responses", key: str = "canary-key", timeout: float = 5) -> Any:
    request = ModelRequest(
        model="m", instructions="Help.", items=ITEMS, tools=[TOOL], max_output_tokens=5, timeout=timeout
    )
    return answer(Endpoint(base_url=endpoint.url, api=api, key=key), request)


@pytest.mark.parametrize(("api", "body"), [("responses", RESPONSE), ("chat", CHAT)])
def test_both_ways_give_the_same_neutral_items(endpoint: Answering, api: str, body: Any) -> None:
    endpoint.body = json.dumps(body).encode()
    got = ask(endpoint, api)
    assert got.text == "Look."
    assert [dict(one) for one in got.calls] == [
        {"type": "call", "call_id": "c3", "name": "orders.find", "arguments": "{}"}
    ]
    assert (got.input_tokens, got.output_tokens) == (7, 3)
    text = json.dumps(endpoint.sent)
    assert "orders__find" in text
    assert "orders.find" not in text
    assert '"here"' in text


def test_the_calls_of_one_answer_are_one_message_of_a_chat(endpoint: Answering) -> None:
    endpoint.body = json.dumps(CHAT).encode()
    ask(endpoint, "chat")
    messages = endpoint.sent[1]["messages"]
    assert [one["role"] for one in messages] == ["system", "user", "assistant", "tool", "tool"]
    assert len(messages[2]["tool_calls"]) == 2


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_an_endpoint_that_counts_nothing_leaves_the_cost_unknown(endpoint: Answering, api: str) -> None:
    body = {name: value for name, value in (RESPONSE if api == "responses" else CHAT).items() if name != "usage"}
    endpoint.body = json.dumps(body).encode()
    got = ask(endpoint, api)
    assert (got.input_tokens, got.output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("api", "said"),
    [*product(["responses", "chat"], [-1, 10**12, 7.5, None, [7]]), ("responses", "7"), ("responses", True)],
)
def test_a_count_that_cannot_be_one_leaves_the_cost_unknown(endpoint: Answering, api: str, said: Any) -> None:
    whole, name = (RESPONSE, "output_tokens") if api == "responses" else (CHAT, "completion_tokens")
    endpoint.body = json.dumps({**whole, "usage": {**whole["usage"], name: said}}).encode()
    got = ask(endpoint, api)
    assert (got.input_tokens, got.output_tokens) == (7, None)


@pytest.mark.parametrize(
    ("status", "again", "billed"),
    [(400, False, False), (401, False, False), (404, False, False), (429, True, False), (408, True, False),
     (500, True, True), (503, True, True)],
)  # fmt: skip
def test_what_a_status_means(endpoint: Answering, status: int, *, again: bool, billed: bool) -> None:
    endpoint.status = status
    endpoint.body = b'{"error": {"message": "Wrong key canary-key", "type": "x", "code": "x"}}'
    with pytest.raises(InferenceError) as caught:
        ask(endpoint)
    assert (caught.value.again, caught.value.billed) == (again, billed)
    assert "canary-key" not in str(caught.value)
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"x"', b"{}", b"not JSON", b'{"output": null}', b'{"choices": []}',
             b'{"output": [{"type": "message", "content": null}]}', b'{"choices": [{"message": null}]}'],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_an_error_and_may_cost(endpoint: Answering, api: str, body: bytes) -> None:
    endpoint.body = body
    with pytest.raises(InferenceError) as caught:
        ask(endpoint, api)
    assert caught.value.billed
    assert not caught.value.again


DEEP = 100_000


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize("body", [b"[" * DEEP, b'{"a":' * DEEP, b'{"output": ' + b"[" * DEEP + b"]" * DEEP + b"}"],
                         ids=["lists", "objects", "within"])  # fmt: skip
def test_an_answer_of_levels_without_end_is_an_error_like_any_other(
    endpoint: Answering, api: str, status: int, body: bytes
) -> None:
    endpoint.body, endpoint.status = body, status
    with pytest.raises(InferenceError) as failed:
        ask(endpoint, api)
    assert failed.value.billed == (status != 400)


def test_an_address_that_nobody_allowed_is_never_called(endpoint: Answering, settings: Any) -> None:
    settings.REMIT_OUTBOUND_ALLOW = ()
    with pytest.raises(InferenceError) as caught:
        ask(endpoint)
    assert (caught.value.again, caught.value.billed) == (False, False)
    assert endpoint.sent is None


def test_an_endpoint_that_is_not_there_costs_nothing_and_is_tried_again(endpoint: Answering, settings: Any) -> None:
    settings.REMIT_OUTBOUND_ALLOW = ("127.0.0.1:9",)
    endpoint.url = "http://127.0.0.1:9/v1"
    with pytest.raises(InferenceError, match="cannot be reached") as caught:
        ask(endpoint)
    assert (caught.value.again, caught.value.billed) == (True, False)


@pytest.mark.parametrize("whole", [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Never: "])
def test_an_answer_in_drops_is_not_waited_for_beyond_the_time_limit(settings: Any, whole: bytes) -> None:
    """Each drop comes in time, in the body or before it has begun: a call would go on, and keep its slot."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(whole)
                for _ in range(100):
                    time.sleep(0.05)
                    self.request.sendall(b"1")

    with serving(ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        settings.REMIT_OUTBOUND_ALLOW = (f"127.0.0.1:{port}",)
        endpoint = Answering()
        endpoint.url = f"http://127.0.0.1:{port}/v1"
        with pytest.raises(InferenceError, match="did not answer within 1 s") as caught:
            ask(endpoint, timeout=1)
    assert (caught.value.again, caught.value.billed) == (True, True)


def test_the_estimate_is_an_upper_bound() -> None:
    request = ModelRequest(
        model="m", instructions="Hilf! ü€🙂", items=ITEMS, tools=[TOOL], max_output_tokens=5, timeout=5
    )
    assert request.most_input_tokens >= len("Hilf! ü€🙂".encode()) + sum(len(json.dumps(one)) for one in [*ITEMS, TOOL])


def test_names_there_and_back() -> None:
    assert from_wire(to_wire("orders.find_order")) == "orders.find_order"
