"""What a version says, checked against what exists in its organisation."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from agents.catalogue.models import LanguageModel
from agents.registry.models import Agent, AgentState, OnExhausted, Truncation
from agents.tools.builtins import BUILTIN_TOOLS
from agents.tools.models import Tool
from foundation.digests import digest_of
from foundation.errors import InvalidError
from foundation.inputs import checked_number, checked_text

LONGEST_INSTRUCTIONS = 100_000
MOST_STEPS = 1_000
LONGEST_RUN = 30 * 86_400  # seconds
DEAREST_RUN = 10**12  # micro-units
MOST_TOKENS = 2**31 - 1
MOST_CHILDREN = 1_000
SMALLEST_CONTEXT = 500  # tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """The content of a version, as its columns hold it."""

    instructions: str
    language_model: LanguageModel
    tools: tuple[str, ...]
    delegates: tuple[str, ...]
    max_steps: int
    max_seconds: int
    max_output_tokens: int
    run_budget: int
    max_tokens: int = 0
    max_children: int = 16
    context_tokens: int = 0
    truncation: str = Truncation.COMPACT.value
    on_exhausted: str = OnExhausted.STOP.value

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of an AgentVersion."""
        return self._limits | {
            "instructions": self.instructions,
            "language_model": self.language_model,
            "tools": list(self.tools),
            "delegates": list(self.delegates),
        }

    @property
    def content_hash(self) -> str:
        """SHA-256 over RFC 8785 JSON: equal definitions have equal hashes, whatever their number."""
        # What was added later counts only where it says something, so that older versions keep their hashes.
        columns = {name: value for name, value in self.columns.items() if value != _ADDED.get(name, _NOTHING)}
        return digest_of(columns | {"language_model": self.language_model.slug}, "instructions")

    @property
    def _limits(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _ADDED} | {
            "max_steps": self.max_steps,
            "max_seconds": self.max_seconds,
            "max_output_tokens": self.max_output_tokens,
            "run_budget": self.run_budget,
        }


_NOTHING = object()
_ADDED: dict[str, Any] = {
    one.name: one.default
    for one in fields(Definition)
    if one.name in {"max_tokens", "max_children", "context_tokens", "truncation", "on_exhausted"}
}


def checked_definition(given: Definition, agent: Agent) -> Definition:
    """The definition, tidied. Raises InvalidError at the field that is wrong."""
    model = given.language_model
    if model.organisation_id != agent.organisation_id:
        raise InvalidError("The model belongs to another organisation.", "language_model")
    if not model.enabled:
        raise InvalidError(f"The model {model.slug} is disabled: choose another.", "language_model")
    checked_number(given.max_steps, 1, MOST_STEPS, "max_steps")
    checked_number(given.max_seconds, 1, LONGEST_RUN, "max_seconds")
    checked_number(given.max_output_tokens, 1, model.max_output, "max_output_tokens")
    checked_number(given.run_budget, 0, DEAREST_RUN, "run_budget")
    checked_number(given.max_tokens, 0, MOST_TOKENS, "max_tokens")
    checked_number(given.max_children, 0, MOST_CHILDREN, "max_children")
    if given.context_tokens:
        checked_number(given.context_tokens, SMALLEST_CONTEXT, MOST_TOKENS, "context_tokens")
    _check_choice(given.truncation, Truncation.values, "truncation")
    _check_choice(given.on_exhausted, OnExhausted.values, "on_exhausted")
    return replace(
        given,
        instructions=checked_text(given.instructions, LONGEST_INSTRUCTIONS, "instructions"),
        tools=_checked_tools(given.tools, agent),
        delegates=_checked_delegates(given.delegates, agent),
    )


def _check_choice(value: str, choices: Sequence[str], field: str) -> None:
    if value not in choices:
        raise InvalidError(f"{field} must be one of {', '.join(choices)}.", field)


def _checked_tools(names: Sequence[str], agent: Agent) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(names))
    known = set(
        Tool.objects.filter(organisation_id=agent.organisation_id, name__in=wanted).values_list("name", flat=True)
    )
    if unknown := [name for name in wanted if name not in known and name not in BUILTIN_TOOLS]:
        raise InvalidError(f"There is no tool {', '.join(map(str, unknown))}: add its connector first.", "tools")
    return wanted


def _checked_delegates(slugs: Sequence[str], agent: Agent) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(slugs))
    if agent.slug in wanted:
        raise InvalidError("An agent cannot give work to itself.", "delegates")
    # Only the own organisation is asked, so an agent of another one is as unknown as one that does not exist.
    known = set(
        Agent.objects.filter(organisation_id=agent.organisation_id, slug__in=wanted)
        .exclude(state=AgentState.RETIRED)
        .values_list("slug", flat=True)
    )
    if unknown := [slug for slug in wanted if slug not in known]:
        raise InvalidError(f"There is no agent {', '.join(map(str, unknown))} to delegate to.", "delegates")
    return wanted
