"""Validation: everything that keeps a policy from being published, with its place and what to do about it."""

import json
import re
from collections.abc import Iterator

import cedarpy

from governance.policies.annotations import annotation_problems, placeholders
from governance.policies.schema import PolicySchema
from governance.policies.scope import compares_to_group, entities_named, exact, pins_of
from governance.policies.source import Problem, SourceError, Statement, statements

_SHOWN = 3
_MISSING = re.compile(r'attribute `(?P<path>[^`]+)` in context for Action::"(?P<action>[^"]+)" not found')
_OPTIONAL = re.compile(r"optional attribute `(?P<path>[^`]+)`")
_NAMED = re.compile(r'`([^`]+)`|::"([^"]+)"')


def validate(source: str, schema: PolicySchema) -> list[Problem]:
    """The problems of a policy's source, by line; none means that it can be published."""
    try:
        found = statements(source)
    except SourceError as error:
        return sorted(error.problems)
    if not found:
        return [Problem(1, 1, "There is no policy here: write a permit or a forbid.")]
    problems = [problem for statement in found for problem in _problems(statement, schema)]
    return sorted({*problems, *_identity_problems(found)})


def _identity_problems(found: tuple[Statement, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for statement in found:
        if "id" not in statement.annotations and len(found) > 1:
            yield statement.problem('Several policies stand here: give each an @id("...").')
        elif "id" in statement.annotations and statement.name in seen:
            yield statement.problem(f"@id {statement.name} stands twice: give each policy its own.", "id")
        seen.add(statement.name)


def _problems(statement: Statement, schema: PolicySchema) -> Iterator[Problem]:
    yield from annotation_problems(statement)
    yield from _question_problems(statement, schema)
    if compares_to_group(statement.tree["conditions"]):
        yield statement.problem('In a condition write action in Action::"tool_call": == is never true.', "tool_call")
    # Types of a tool that does not exist say nothing that a person could act on.
    yield from list(_unknown_names(statement, schema)) or _type_problems(statement, schema)


def _unknown_names(statement: Statement, schema: PolicySchema) -> Iterator[Problem]:
    for kind, name in dict.fromkeys(entities_named(statement.tree)):
        if name not in schema.known.get(kind, {name}):
            message = f"There is no {kind.lower()} called {name}: a policy about it would never apply."
            yield statement.problem(message, name)


def _question_problems(statement: Statement, schema: PolicySchema) -> Iterator[Problem]:
    pins = pins_of(exact(statement.tree), schema.known["Tool"])
    resource = pins.resource
    tool = schema.tools.get(resource[1]) if resource and resource[0] == "Tool" else None
    if "ask" in statement.annotations and pins.actions == frozenset({"run_start"}):
        yield statement.problem("The start of a run waits for nobody: ask about what the run does.", "ask")
    for name in placeholders(statement.annotations.get("ask", "")):
        if tool is not None and name not in tool.names:
            yield statement.problem(f"@ask speaks of {{{name}}}, which is not an argument of this tool.", "ask")


def _type_problems(statement: Statement, schema: PolicySchema) -> Iterator[Problem]:
    document = {"staticPolicies": {"policy": exact(statement.tree)}, "templates": {}, "templateLinks": []}
    text = cedarpy.policies_from_json_str(json.dumps(document))
    errors = [error.error for error in cedarpy.validate_policies(text, schema.handle).errors]
    missing: dict[str, list[str]] = {}
    for error in errors:
        if match := _MISSING.search(error):
            missing.setdefault(match["path"], []).append(match["action"])
        else:
            yield _explained(statement, error)
    for path, actions in missing.items():
        yield _missing(statement, path, actions)


def _missing(statement: Statement, path: str, actions: list[str]) -> Problem:
    listed = ", ".join(sorted(actions)[:_SHOWN]) + (
        f" and {len(actions) - _SHOWN} more" if len(actions) > _SHOWN else ""
    )
    parent, _, name = f"context.{path}".rpartition(".")
    hint = f'name one tool in the scope (resource == Tool::"..."), or test first: {parent} has {name} && ...'
    return statement.problem(f"{parent}.{name} does not exist for {listed}: {hint}", name)


def _explained(statement: Statement, error: str) -> Problem:
    plain = re.sub(r"^for policy `[^`]*`, ", "", error)
    words = [word.rpartition(".")[2] for pair in _NAMED.findall(plain) for word in reversed(pair) if word]
    if match := _OPTIONAL.search(plain):
        parent, _, name = match["path"].rpartition(".")
        owner = "principal" if "entity type" in plain else f"context.{parent}".rstrip(".")
        return statement.problem(f"{owner}.{name} may be absent: test first: {owner} has {name} && ...", name)
    if plain.startswith("unable to find an applicable action"):
        return statement.problem("No request fits this scope: this action never has such a principal and resource.")
    return statement.problem(f"{plain[:1].upper()}{plain[1:]}.", *words)
