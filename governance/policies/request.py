"""The Cedar request of facts: principal, action, resource with their entities, and the context."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC
from functools import lru_cache
from typing import Any

import cedarpy
import orjson

from agents.labels import Label
from governance.policies.facts import Facts
from governance.policies.schema import HISTORY, TOOL_CALL, Arguments, connector_of
from governance.policies.shapes import LONGEST, UnfitError, project

_UNKNOWN = Label.from_json({})


def request_of(facts: Facts, arguments: Mapping[str, Any], read: frozenset[str] | None = None) -> dict[str, Any]:
    """The request, in cedarpy's form; `arguments` as `projected` gives them.

    Only those attributes of the context are in it that are `read`: Cedar takes its time with each. None is for all.
    Raises ValueError for arguments that are not JSON, whether they are read or not.
    """
    text = facts.canonical_arguments()
    return {
        "principal": {"type": "Agent", "id": facts.agent},
        "action": {"type": "Action", "id": facts.action_name},
        "resource": {"type": facts.resource_type, "id": facts.target},
        "context": orjson.dumps(_context(facts, arguments, text, read)).decode(),
    }


def projected(
    facts: Facts, declared: Arguments, read: frozenset[str] | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """The arguments that policies `read` (None: all), in Cedar's form, and the names of those that do not fit."""
    fit: dict[str, Any] = {}
    unfit: set[str] = set()
    for name, member in declared.shape.members.items():
        if facts.arguments.get(name) is None or (read is not None and name not in read):
            continue
        try:
            fit[name] = project(facts.arguments[name], member.shape)
        except UnfitError:
            unfit.add(name)
    return fit, frozenset(unfit)


def _context(facts: Facts, arguments: Mapping[str, Any], text: bytes, read: frozenset[str] | None) -> dict[str, Any]:
    context = {name: of(facts) for name, of in _OF_FACTS.items() if read is None or name in read}
    if read is None or "args" in read:
        context["args"] = arguments
    if read is None or "args_json" in read:
        context["args_json"] = text.decode()
    return context


def _provenance(facts: Facts) -> dict[str, Any]:
    return {name: facts.provenance.get(name, _UNKNOWN).as_json() for name in _plain(facts.arguments)}


def _history(facts: Facts) -> dict[str, Any]:
    return {name: facts.history[name] for name in HISTORY if _is_long(facts.history.get(name))}


def _time(facts: Facts) -> dict[str, Any]:
    now = facts.now.astimezone(UTC)
    return {"hour": now.hour, "weekday": now.isoweekday(), "epoch": int(now.timestamp())}


_OF_FACTS: dict[str, Callable[[Facts], Any]] = {
    "provenance": _provenance,
    "label": lambda facts: facts.label.as_json(),
    "approved": lambda facts: facts.approved,
    "history": _history,
    "time": _time,
    "environment": lambda facts: {"rehearsed": facts.rehearsed},
    "estimate": lambda facts: facts.estimate,
    "currency": lambda facts: facts.currency,
}


def _plain(arguments: Mapping[str, Any]) -> list[str]:
    # Names in Cedar's own escapes would forge values.
    return [name for name in arguments if not name.startswith("__")]


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LONGEST


def entities_of(facts: Facts) -> cedarpy.Entities:
    """The entities of the request: who acts, on what, and what those belong to."""
    return _entities(
        (facts.agent, facts.agent_version, facts.teams or (), facts.sponsor or ""),
        (facts.action_name, facts.group),
        (facts.resource_type, facts.target, facts.target_effect, facts.target_teams or ()),
    )


@lru_cache(maxsize=4_096)
def _entities(
    agent: tuple[str, str, tuple[str, ...], str],
    action: tuple[str, str],
    target: tuple[str, str, str, tuple[str, ...]],
) -> cedarpy.Entities:
    slug, version, teams, sponsor = agent
    kind, name, effect, target_teams = target
    known: dict[tuple[str, str], dict[str, Any]] = {}
    if kind == "Tool":
        _add(known, (kind, name), {"effect": effect}, [("Connector", connector_of(name))])
    elif kind == "Agent":
        _add(known, (kind, name), _team(target_teams), [("Team", team) for team in target_teams])
    else:
        _add(known, (kind, name), {}, [])
    person = {"sponsor": _reference("Person", sponsor)} if sponsor else {}
    attributes = {"version": version} | _team(teams) | person
    _add(known, ("Agent", slug), attributes, [("Team", team) for team in teams])
    _add(known, ("Action", action[0]), {}, [("Action", TOOL_CALL)] if action[1] == TOOL_CALL else [])
    return cedarpy.Entities.from_json_str(json.dumps(list(known.values())))


def _add(
    known: dict[tuple[str, str], dict[str, Any]],
    uid: tuple[str, str],
    attributes: Mapping[str, Any],
    parents: list[tuple[str, str]],
) -> None:
    known[uid] = {"uid": _uid(uid), "attrs": attributes, "parents": [_uid(parent) for parent in parents]}


def _team(teams: tuple[str, ...]) -> dict[str, Any]:
    return {"team": _reference("Team", teams[0])} if teams else {}


def _reference(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": kind, "id": name}}


def _uid(uid: tuple[str, str]) -> dict[str, str]:
    return {"type": uid[0], "id": uid[1]}
