"""Documents connector: a handful of texts that an agent may search and read. Settings: {"documents": {name: text}}.

`integrity` and `confidentiality` in the settings say what is known of the texts (default: untrusted, internal).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.labels import Confidentiality, Integrity, Label
from agents.tools.port import ToolDefinition, ToolEffect, ToolOutput, ToolRefusedError, ToolRequest

PASSAGES = 5

_WORD = re.compile(r"\w{2,}")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Passage:
    """The text under one heading of a document."""

    document: str
    heading: str
    text: str

    def score(self, wanted: set[str]) -> int:
        """How often the wanted words stand here; in the heading they count three times."""
        words = Counter(_words(self.text)) + Counter(_words(self.heading) * 3)
        return sum(words[word] for word in wanted)


class DocumentsConnector:
    """Offers `search` and `read` over the documents in its settings; reaches nothing outside."""

    def definitions(self, settings: Mapping[str, Any]) -> Sequence[ToolDefinition]:
        """Two reads; the names of the documents are part of the schema."""
        names = sorted(settings.get("documents", {}))
        return [
            ToolDefinition(
                name="search",
                description="Find the passages of the documents that fit a few words best.",
                schema=_schema("query", {"type": "string", "minLength": 1, "maxLength": 500}),
                effect=ToolEffect.READ,
            ),
            ToolDefinition(
                name="read",
                description="Read one document in full.",
                schema=_schema("name", {"type": "string", "enum": names} if names else {"type": "string"}),
                effect=ToolEffect.READ,
            ),
        ]

    def call(self, request: ToolRequest) -> ToolOutput:
        """`search` gives at most five passages, the best first; `read` the whole text."""
        documents: Mapping[str, str] = request.settings.get("documents", {})
        if request.operation == "search":
            found = _best(documents, str(request.arguments.get("query", "")))
            content: dict[str, Any] = {
                "passages": [{"document": p.document, "heading": p.heading, "text": p.text} for p in found]
            }
            return ToolOutput(content, _label(request.settings, {p.document for p in found}))
        if request.operation == "read":
            name = str(request.arguments.get("name", ""))
            if name not in documents:
                raise ToolRefusedError(f"There is no document {name!r}: use one of {', '.join(sorted(documents))}.")
            return ToolOutput({"name": name, "text": documents[name]}, _label(request.settings, {name}))
        raise ToolRefusedError(f"There is no operation {request.operation!r}: use search or read.")


def _schema(name: str, of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: of}, "required": [name], "additionalProperties": False}


def _label(settings: Mapping[str, Any], names: set[str]) -> Label:
    return Label(
        Integrity(settings.get("integrity", Integrity.UNTRUSTED)),
        Confidentiality(settings.get("confidentiality", Confidentiality.INTERNAL)),
        frozenset(f"document:{name}" for name in names),
    )


def _best(documents: Mapping[str, str], query: str) -> list[Passage]:
    wanted = set(_words(query))
    passages = [passage for name in sorted(documents) for passage in _passages(name, documents[name])]
    scored = [(passage.score(wanted), passage) for passage in passages]
    ranked = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    return [passage for _, passage in ranked[:PASSAGES]]


def _passages(name: str, text: str) -> Iterator[Passage]:
    heading, lines = name, list[str]()
    for line in text.splitlines():
        if match := _HEADING.match(line):
            if "".join(lines).strip():
                yield Passage(name, heading, "\n".join(lines).strip())
            heading, lines = match[1], []
        else:
            lines.append(line)
    if "".join(lines).strip():
        yield Passage(name, heading, "\n".join(lines).strip())


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
