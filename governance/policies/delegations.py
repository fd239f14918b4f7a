"""In whose name an act is done, as the gate sees it: within its delegation, for a person where the tool wants one."""

from datetime import datetime

from agents.gate import Action, ActionKind
from agents.runs.definitions import Definitions
from agents.tools.builtins import BUILTIN_TOOLS
from agents.tools.models import Tool
from foundation.delegation.effective import covers, is_live

_WORDS = {ActionKind.TOOL_CALL: "tool", ActionKind.DELEGATION: "agent"}


def refusal_of(action: Action, known: Definitions, now: datetime) -> str:
    """Why an act may not be done in this name, in a sentence; empty if it may."""
    tool = known.tools_named((action.target,)).get(action.target) if _calls_out(action) else None
    if tool is not None and tool.connector.on_behalf_of and not known.people_among(action.principals):
        return f"{action.target} is called in the name of a person only: here a service identity would arrive."
    return _beyond(action, tool, known, now) if action.delegation is not None else ""


def _beyond(action: Action, tool: Tool | None, known: Definitions, now: datetime) -> str:
    grants = known.delegations(action.delegation) if action.delegation else []
    if not grants or not all(is_live(one, now) for one in grants):
        return "The delegation that this run rests on is over: nothing is done in that name any more."
    kind = _WORDS.get(action.kind)
    if kind is None or (kind == "tool" and action.target in BUILTIN_TOOLS):
        # What stays within Remit is done in the agent's own name.
        return ""
    if not all(covers(one.scopes, f"{kind}:{action.target}") for one in grants):
        return f"The delegation that this run rests on does not cover {kind}:{action.target}."
    if tool is not None and not all(tool.connector.called in one.audience for one in grants):
        return f"The delegation that this run rests on does not reach {tool.connector.called}."
    return ""


def _calls_out(action: Action) -> bool:
    return action.kind is ActionKind.TOOL_CALL and action.target not in BUILTIN_TOOLS
