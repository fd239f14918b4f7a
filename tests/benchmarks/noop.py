"""A tool that does nothing and a model that asks for it: what is left of a step is what Remit adds to it."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.catalogue import inference
from agents.catalogue.messages import Endpoint, ModelAnswer, ModelRequest
from agents.labels import Integrity, Label
from agents.tools.port import ToolDefinition, ToolEffect, ToolOutput, ToolRequest

SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["number"],
    "additionalProperties": False,
}


@dataclass(slots=True)
class Shape:
    """How a run goes: so many calls of the tool, so many of them asked for in each of the model's answers."""

    calls: int = 10
    at_a_time: int = 10


class Clock:
    """When the tool was called: how often, and how long from one call of a run to its next."""

    def __init__(self) -> None:
        self.calls = 0
        self.first: dict[UUID, float] = {}
        self.gaps: list[float] = []
        self._last: dict[UUID, float] = {}

    def tick(self, run: UUID) -> None:
        """A call has come. From one to the next lies one whole step: its outcome, and the next one's decision."""
        now = time.perf_counter()
        self.calls += 1
        former = self._last.get(run)
        if former is None:
            self.first[run] = now
        else:
            self.gaps.append(now - former)
        self._last[run] = now


clock, shape = Clock(), Shape()


class NoopKind:
    """A connector kind whose first operation does nothing, though as far as anybody knows it changes something.

    The second one takes `seconds`, and writes a line into `file` as it begins; it may be repeated.
    """

    def definitions(self, settings: Mapping[str, Any]) -> list[ToolDefinition]:  # noqa: ARG002 - the port's
        """The operations."""
        return [
            ToolDefinition(name="noop", description="Does nothing.", schema=SCHEMA, effect=ToolEffect.EFFECT),
            ToolDefinition(name="slow", description="Takes a while.", schema=SCHEMA, effect=ToolEffect.IDEMPOTENT),
        ]

    def call(self, request: ToolRequest) -> ToolOutput:
        """Do nothing, or take a while."""
        clock.tick(request.run)
        if request.operation == "slow":
            with Path(request.settings["file"]).open("a") as lines:
                lines.write(f"{time.time()} {os.getpid()} {request.run} {request.idempotency_key}\n")
            time.sleep(request.settings["seconds"])
        return ToolOutput({"done": request.arguments["number"]}, Label(Integrity.TRUSTED))


def answer(endpoint: Endpoint, request: ModelRequest) -> ModelAnswer:
    """Ask for the tool as the shape says, then say that it is done."""
    done = sum(1 for item in request.items if item["type"] == "result")
    if done >= shape.calls:
        return ModelAnswer(items=({"type": "message", "role": "assistant", "text": "done"},), input_tokens=400,
                           output_tokens=2)  # fmt: skip
    calls = tuple(
        {"type": "call", "call_id": f"call_{number}", "name": request.tools[0]["name"],
         "arguments": json.dumps({"number": number, "note": "the quick brown fox jumps over the lazy dog"})}
        for number in range(done, min(done + shape.at_a_time, shape.calls))
    )  # fmt: skip
    return ModelAnswer(items=calls, input_tokens=100, output_tokens=10)


def answer_in_process() -> None:
    """Let the fake stand in this process wherever the real call was imported by its name."""
    real = inference.answer
    for module in list(sys.modules.values()):
        if getattr(module, "answer", None) is real:
            module.answer = answer  # type: ignore[attr-defined] - any module may have imported it
