"""Whatever pays for an act: the organisation, the agent, its team and all teams above, the run and those above it."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from agents.gate import Action

_KEPT = 4_096  # runs


@dataclass(frozen=True, slots=True)
class Payer:
    """A scope whose budgets pay; `must`: where it has none, nothing is paid. Ids are texts, as rows have them."""

    organisation: str
    kind: str
    scope: str
    must: bool


# What the payers of a run's acts were worked out from, and they themselves.
_Known = tuple[tuple[object, ...], tuple[Payer, ...]]
_known: OrderedDict[UUID, _Known] = OrderedDict()
_lock = threading.Lock()


def payers_of(action: Action, lineage: tuple[UUID, ...]) -> tuple[Payer, ...]:
    """What pays for an act of an agent with this lineage: the same for all acts of a run."""
    grounds = action.organisation, action.agent, action.team, action.line, lineage
    known = _known.get(action.run)
    if known is not None and known[0] == grounds:
        return known[1]
    payers = _payers(action, lineage)
    with _lock:
        _known[action.run] = grounds, payers
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return payers


def _payers(action: Action, lineage: tuple[UUID, ...]) -> tuple[Payer, ...]:
    kinds = {action.organisation: "organisation", action.agent: "agent", action.run: "run"}
    kinds |= dict.fromkeys(action.line, "run")
    team = [action.team] if action.team else []
    scopes = dict.fromkeys([action.organisation, action.agent, *team, *lineage, action.run, *action.line])
    found = [(scope, kinds.get(scope, "team")) for scope in scopes]
    return tuple(Payer(str(action.organisation), kind, str(scope), kind != "team") for scope, kind in found)
