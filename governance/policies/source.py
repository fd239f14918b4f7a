"""Cedar source cut into statements, each parsed by itself, so that a problem has a line and a column.

Cedar's parser says what is wrong but not where; it also overflows the stack on deep nesting, so that is refused first.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import cedarpy

LONGEST_SOURCE = 32_768
DEEPEST_NESTING = 24
DEEPEST_TREE = 100

_TOKEN = re.compile(r'\s+|//[^\n\r]*|(?P<word>"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d+|::|[=!<>]=|&&|\|\||.)', re.DOTALL)
_LAWFUL = re.compile(r"[\w\"(){}\[\]@,;.:+*/%<>?-]|[=!<>]=|&&|\|\||!")
_QUOTED = re.compile(r"`([^`]+)`|(\w+)$")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong with a source; line and column count from 1. `policy` is the statement's `@id`, or empty."""

    line: int
    column: int
    message: str
    policy: str = ""


class SourceError(ValueError):
    """The source cannot be read; carries its problems."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in problems))
        self.problems = problems


class Token(NamedTuple):
    """A word of Cedar, where it starts and ends."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Statement:
    """One permit or forbid, from `start` to `end` of a source. `tree` is Cedar's JSON format of it."""

    source: str
    start: int
    end: int
    tree: Mapping[str, Any]

    @property
    def annotations(self) -> Mapping[str, str]:
        """The `@name("value")` pairs before it; a bare `@name` is empty."""
        found: dict[str, str | None] = self.tree.get("annotations") or {}
        return {name: value or "" for name, value in found.items()}

    @property
    def name(self) -> str:
        """Its `@id`, or empty."""
        return self.annotations.get("id", "")

    def problem(self, message: str, *words: str) -> Problem:
        """A problem of this statement, at the first of the words that it contains, else at its start."""
        place = find(tuple(_tokens(self.source, self.start, self.end)), *words)
        return problem_at(self.source, place.start, message, self.name)


def problem_at(source: str, offset: int, message: str, policy: str = "") -> Problem:
    """A problem at an offset of the source."""
    before = source[:offset]
    return Problem(before.count("\n") + 1, offset - before.rfind("\n"), message, policy)


def find(tokens: tuple[Token, ...], *words: str) -> Token:
    """The last place of the first word that occurs: what a person wrote last is nearest to the mistake."""
    for word in words:
        for token in reversed(tokens):
            if word in (token.text, token.text.strip('"')):
                return token
    return tokens[0]


def statements(source: str) -> tuple[Statement, ...]:
    """The statements of a source, in order; raises SourceError."""
    if len(source) > LONGEST_SOURCE:
        raise SourceError((Problem(1, 1, f"The source is longer than {LONGEST_SOURCE} characters: split it."),))
    found: list[Statement] = []
    problems: list[Problem] = []
    for tokens in _cut(source):
        try:
            found.append(_parse(source, tokens))
        except SourceError as error:
            problems += error.problems
    # A second opinion: no policy may be lost because we cut the text differently from Cedar.
    if not problems and len(cedarpy.PolicySet.from_str(source)) != len(found):
        problems.append(Problem(1, 1, "The source cannot be cut into policies: remove unusual characters."))
    if problems:
        raise SourceError(tuple(problems))
    return tuple(found)


def _tokens(source: str, start: int, end: int) -> Iterator[Token]:
    for match in _TOKEN.finditer(source, start, end):
        if match["word"]:
            yield Token(match["word"], match.start(), match.end())


def _cut(source: str) -> Iterator[tuple[Token, ...]]:
    pending: list[Token] = []
    for token in _tokens(source, 0, len(source)):
        pending.append(token)
        if token.text == ";":
            yield tuple(pending)
            pending = []
    if pending:
        yield tuple(pending)


def _parse(source: str, tokens: tuple[Token, ...]) -> Statement:
    _check_nesting(source, tokens)
    start, end = tokens[0].start, tokens[-1].end
    try:
        text = cedarpy.policies_to_json_str(source[start:end])
        parsed = json.loads(text)
    except ValueError as error:
        raise SourceError((_located(source, tokens, str(error)),)) from None
    except RecursionError:
        raise SourceError((problem_at(source, start, _TOO_DEEP),)) from None
    if parsed["templates"]:
        message = "Slots such as ?principal cannot be filled here: name the principal and the resource."
        raise SourceError((problem_at(source, find(tokens, "?").start, message),))
    if _depth(text) > DEEPEST_TREE:
        raise SourceError((problem_at(source, start, _TOO_DEEP),))
    tree = next(iter(parsed["staticPolicies"].values()))
    return Statement(source, start, end, tree)


_TOO_DEEP = "This policy is nested too deeply: split it into several."


def _check_nesting(source: str, tokens: tuple[Token, ...]) -> None:
    depth = branches = 0
    for token in tokens:
        depth += (token.text in "([{") - (token.text in ")]}")
        branches += token.text == "if"
        if token.text == '"':
            raise SourceError((problem_at(source, token.start, 'This string is not closed: add a ".'),))
        if max(depth, branches) > DEEPEST_NESTING:
            raise SourceError((problem_at(source, token.start, _TOO_DEEP),))


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        depth += (match[0] in "[{") - (match[0] in "]}")
        deepest = max(deepest, depth)
    return deepest


def _located(source: str, tokens: tuple[Token, ...], error: str) -> Problem:
    if error == "unexpected end of input":
        return problem_at(source, tokens[-1].start, "The policy ends too early: a bracket or the final ; is missing.")
    if error.startswith("unexpected token"):
        place = _first_bad(source, tokens, error)
    elif error == "invalid token":
        place = next((token for token in tokens if not _LAWFUL.match(token.text)), tokens[0])
    else:
        named = _QUOTED.search(error)
        place = find(tokens, *(word for word in (named.groups() if named else ()) if word))
    return problem_at(source, place.start, f"Cedar cannot read this: {error}.")


def _first_bad(source: str, tokens: tuple[Token, ...], error: str) -> Token:
    """The token that Cedar means: its complaint stays the same only if what is cut off comes after that token.

    Each attempt cuts the text before one token and ends it with `@@`, which is wrong everywhere.
    """
    low, high = 0, len(tokens) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _complaint(source[tokens[0].start : tokens[middle].start] + "@@;") == error:
            high = middle - 1
        else:
            low = middle
    return tokens[low]


def _complaint(text: str) -> str:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        return str(error)
    return ""
