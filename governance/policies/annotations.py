"""The annotations of a policy: its `@id`, and what an ask requires of people.

@id("large-refund") @ask("Refund {amount_cents} cents for order {order}?")
@approvers("refund-approver") @quorum("1") @expires("24h") @risk("high")
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from governance.policies.source import Problem, Statement

RISKS = ("low", "medium", "high", "critical")
LONGEST_WAIT = 30 * 86_400
DEFAULT_WAIT = 86_400
LONGEST_QUESTION = 300
LONGEST_VALUE = 80

_OF_ASK = frozenset({"ask", "approvers", "quorum", "expires", "risk"})
_KNOWN = _OF_ASK | {"id", "description"}
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"\{(\w+)(:hundredths)?\}")
_PLAIN = re.compile(r"[\w.@+:/-]{1,80}")
_APPROVED = {".": {"left": {"Var": "context"}, "attr": "approved"}}


@dataclass(frozen=True, slots=True)
class Ask:
    """What a policy's ask requires: groups that must each approve, how many votes, within how many seconds."""

    question: str
    approvers: tuple[str, ...]
    quorum: int = 1
    expires_in: int = DEFAULT_WAIT
    risk: str = "medium"


def ask_of(annotations: Mapping[str, str]) -> Ask | None:
    """The ask of annotations that were found right, or None."""
    if "ask" not in annotations:
        return None
    return Ask(
        annotations["ask"],
        _approvers(annotations.get("approvers", "")),
        int(annotations.get("quorum", "1")),
        _seconds(annotations["expires"]) if "expires" in annotations else DEFAULT_WAIT,
        annotations.get("risk", "medium"),
    )


def _approvers(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in value.split(",")))


def _seconds(value: str) -> int:
    match = re.fullmatch(r"(\d{1,7})([smhd])", value)
    return int(match[1]) * _SECONDS[match[2]] if match else 0


def annotation_problems(statement: Statement) -> Iterator[Problem]:
    """What is wrong with a statement's annotations, and with the shape of its ask."""
    annotations = statement.annotations
    for name in annotations.keys() - _KNOWN:
        yield statement.problem(f"@{name} is not an annotation: use {_words(_KNOWN)}.", name)
    if "id" in annotations and not _SLUG.fullmatch(annotations["id"][:64]):
        yield statement.problem("@id is lower-case letters, digits and single hyphens, at most 64.", "id")
    if "ask" in annotations:
        yield from _ask_problems(statement, annotations)
    else:
        for name in annotations.keys() & _OF_ASK:
            yield statement.problem(f"@{name} belongs to an ask: add @ask with the question.", name)
        if statement.tree["effect"] == "forbid" and yields_to_approval(statement.tree):
            yield statement.problem("Nobody is asked: add @ask and @approvers, or remove context.approved.", "approved")


def _ask_problems(statement: Statement, annotations: Mapping[str, str]) -> Iterator[Problem]:
    if statement.tree["effect"] != "forbid" or not yields_to_approval(statement.tree):
        yield statement.problem("An ask is a forbid that ends in `unless { context.approved }`.", "ask")
    if not annotations["ask"].strip():
        yield statement.problem('@ask holds the question for the approver: @ask("Refund {amount_cents}?").', "ask")
    approvers = _approvers(annotations.get("approvers", ""))
    if not all(map(_SLUG.fullmatch, approvers)):
        said = '@approvers has the short names of the roles that must approve: @approvers("operator").'
        yield statement.problem(said, "approvers", "ask")
    if not re.fullmatch(r"[1-9]\d?", annotations.get("quorum", "1")):
        yield statement.problem("@quorum is a whole number from 1 to 99.", "quorum")
    if "expires" in annotations and not 0 < _seconds(annotations["expires"]) <= LONGEST_WAIT:
        yield statement.problem("@expires is a time such as 30m, 24h or 7d, at most 30d.", "expires")
    if annotations.get("risk", "medium") not in RISKS:
        yield statement.problem(f"@risk is one of {_words(RISKS)}.", "risk")


def _words(names: Any) -> str:
    return ", ".join(sorted(names) if isinstance(names, frozenset) else names)


def yields_to_approval(tree: Mapping[str, Any]) -> bool:
    """True if an approval surely lifts the policy: an `unless` that is `context.approved`, or that `||` something."""
    bodies = [condition["body"] for condition in tree["conditions"] if condition["kind"] == "unless"]
    return any(_admits(body) for body in bodies)


def _admits(body: Mapping[str, Any]) -> bool:
    either = body.get("||")
    return body == _APPROVED or (either is not None and (_admits(either["left"]) or _admits(either["right"])))


def placeholders(question: str) -> list[str]:
    """The names in braces."""
    return [match[1] for match in _PLACEHOLDER.finditer(question)]


def fill(question: str, arguments: Mapping[str, Any]) -> str:
    """The question with arguments in it, cut to what an ApprovalRequest holds.

    Values are hostile text: what is not a plain word is quoted, so that no value can pass for part of the question.
    `{name:hundredths}` shows a whole number of cents as people write money: 74900 as 749.00.
    """
    return _cut(_PLACEHOLDER.sub(lambda match: _filled(match, arguments), question), LONGEST_QUESTION)


def _filled(match: re.Match[str], arguments: Mapping[str, Any]) -> str:
    value = arguments.get(match[1])
    if match[2] and isinstance(value, int) and not isinstance(value, bool):
        sign = "-" if value < 0 else ""
        return f"{sign}{abs(value) // 100:,}.{abs(value) % 100:02}"
    return _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return "(nothing)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if _PLAIN.fullmatch(text):
        return text
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return json.dumps(_cut(clean, LONGEST_VALUE), ensure_ascii=False)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
