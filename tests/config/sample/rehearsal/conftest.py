"""The rehearsal model as a process of its own, and the sample team played on it with the real tools."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from agents.catalogue.messages import ModelRequest
from agents.tools.documents import DocumentsConnector
from agents.tools.port import ConnectorKind, ToolRefusedError, ToolRequest
from config.sample.definition import SAMPLE
from config.sample.outbox import MailOutbox
from config.sample.payments import SandboxPayments
from config.sample.reading import read_mail
from config.sample.shop import SandboxOrders

ROOT = Path(__file__).parents[4]
KINDS: dict[str, ConnectorKind] = {
    "orders": SandboxOrders(),
    "policy": DocumentsConnector(),
    "payments": SandboxPayments(),
    "mail": MailOutbox(),
}


@pytest.fixture(scope="session")
def rehearsal_url() -> Iterator[str]:
    """The server, started as its command line starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "config.sample.rehearsal", "--port", str(port), "--latency-ms", "1"]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT / "platform")}) as process:
        url = f"http://127.0.0.1:{port}/v1"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx2.get(f"{url}/models").raise_for_status()
                break
            except httpx2.TransportError:
                time.sleep(0.05)
        yield url
        process.terminate()


@pytest.fixture
def api(rehearsal_url: str) -> Iterator[OpenAI]:
    """The official client."""
    with OpenAI(base_url=rehearsal_url, api_key="none", max_retries=0) as client:
        yield client


@dataclass
class Desk:
    """Plays the team without an engine: enough of one to see what the model wants. `refuse` names refused tools."""

    api: OpenAI
    secrets: dict[str, str]
    ask: Callable[..., ToolRequest]
    refuse: set[str] = field(default_factory=set)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: int = 0
    spent: float = 0  # micro-units, by all agents
    most_held: float = 0  # the largest sum of what was spent and what a next call could cost at most

    def play(self, file: str) -> str:
        """Triage's last word on a mail of the sample."""
        return self.run("triage", read_mail((SAMPLE.mails / file).read_bytes()).text)

    def run(self, slug: str, text: str) -> str:
        """An agent's last word on an input."""
        agent = next(agent for agent in SAMPLE.agents if agent.slug == slug)
        items: list[Any] = [{"role": "user", "content": text}]
        for _ in range(agent.max_steps):
            answer = self.api.responses.create(
                model=agent.model, instructions=agent.instructions, input=items, tools=_tools(agent), store=False,
                max_output_tokens=agent.max_output_tokens,
            )  # fmt: skip
            self.count(agent, items, answer.usage)
            wished = [item for item in answer.output if item.type == "function_call"]
            if not wished:
                return answer.output_text
            for item in wished:
                arguments = json.loads(item.arguments)
                output = self.call(item.name.replace("__", "."), arguments)
                items.append({"type": "function_call", "call_id": item.call_id, "name": item.name,
                              "arguments": item.arguments})  # fmt: skip
                items.append({"type": "function_call_output", "call_id": item.call_id, "output": json.dumps(output)})
        raise AssertionError("the model did not come to an end")

    def count(self, agent: Any, items: list[Any], usage: Any) -> None:
        """Money as the engine counts it: held before a call for every byte, settled after it by token."""
        model = next(model for model in SAMPLE.provider.models if model.slug == agent.model)
        request = ModelRequest(
            model=model.wire_name, instructions=agent.instructions, items=items, tools=_tools(agent),
            max_output_tokens=agent.max_output_tokens, timeout=1,
        )  # fmt: skip
        held = request.most_input_tokens * model.input_per_million + agent.max_output_tokens * model.output_per_million
        self.most_held = max(self.most_held, self.spent + held / 1_000_000)
        assert usage.input_tokens <= request.most_input_tokens
        cost = usage.input_tokens * model.input_per_million + usage.output_tokens * model.output_per_million
        self.spent += cost / 1_000_000

    def call(self, name: str, arguments: dict[str, Any]) -> Any:
        """What a tool answers."""
        self.calls.append((name, arguments))
        self.keys += 1
        connector, _, operation = name.partition(".")
        if name in self.refuse:
            return {"refused": "A policy does not allow it."}
        if connector == "delegate":
            return {"text": self.run(operation, arguments["task"])}
        chosen = next(one for one in SAMPLE.connectors if one.slug == connector)
        request = self.ask(
            operation, key=f"desk-{self.keys}-{arguments}", settings=chosen.settings,
            secret=self.secrets.get(chosen.credential or ""), **arguments,
        )  # fmt: skip
        try:
            return KINDS[connector].call(request).content
        except ToolRefusedError as error:
            return {"failed": str(error)}

    def called(self, name: str) -> list[dict[str, Any]]:
        """The arguments of each call of a tool."""
        return [arguments for called, arguments in self.calls if called == name]


def _tools(agent: Any) -> Any:
    tools = [
        (f"{connector.slug}__{definition.name}", definition.description, definition.schema)
        for connector in SAMPLE.connectors
        for definition in KINDS[connector.slug].definitions(connector.settings)
        if f"{connector.slug}.{definition.name}" in agent.tools
    ]
    task = {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]}
    tools += [(f"delegate__{slug}", f"Give work to {slug}.", task) for slug in agent.delegates]
    return [
        {"type": "function", "name": name, "description": description, "parameters": dict(schema), "strict": False}
        for name, description, schema in tools
    ]


@pytest.fixture
def desk(
    api: OpenAI, shop: dict[str, str], owner: object, ask: Callable[..., ToolRequest], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Desk:  # fmt: skip
    """The team with its tools, and the gate's one refusal: payouts."""
    monkeypatch.setenv("REMIT_DATA_DIR", str(tmp_path))
    return Desk(api, shop, ask, {"payments.payout"})
