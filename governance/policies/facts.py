"""Facts: everything that a decision rests on, as plain values, so that it can be recorded, digested and replayed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from agents.gate import Action, ActionKind
from agents.labels import Label
from foundation.digests import canonical, canonical_with
from governance.policies.schema import RESOURCES, TOOL_CALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one act.

    `teams` are the slugs of the agent's team and of the teams above it, nearest first, `target_teams` those of a target
    that is an agent, `sponsor` a person's id. None is *not known*: policies that speak of it then deny.
    `now` is the database's clock; `estimate` micro-units of `currency`, None unknown. `arguments_text` is the canonical
    JSON of the arguments, if it is known.
    """

    kind: ActionKind
    agent: str
    agent_version: str
    target: str
    target_effect: str
    now: datetime
    approved: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    label: Label = field(default_factory=Label)
    provenance: Mapping[str, Label] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    teams: tuple[str, ...] | None = None
    target_teams: tuple[str, ...] | None = None
    sponsor: str | None = None
    rehearsed: bool = False
    estimate: int | None = 0
    currency: str = "EUR"
    arguments_text: bytes | None = field(default=None, compare=False, repr=False)

    def canonical_arguments(self) -> bytes:
        """RFC 8785 canonical JSON of the arguments; ValueError for what is not JSON."""
        return canonical(dict(self.arguments)) if self.arguments_text is None else self.arguments_text

    @property
    def action_name(self) -> str:
        """The name of its Cedar action: a tool's own, or its kind."""
        return self.target if self.kind is ActionKind.TOOL_CALL else self.kind

    @property
    def resource_type(self) -> str:
        """The Cedar type of its target."""
        return RESOURCES.get(self.kind, "Tool")

    @property
    def group(self) -> str:
        """The kind of its action: a tool's action is in this group."""
        return TOOL_CALL if self.kind is ActionKind.TOOL_CALL else self.kind

    @property
    def unknown(self) -> frozenset[str]:
        """Attributes of the agents in it that are not known: `team`, `sponsor`."""
        other = self.resource_type == "Agent" and self.target != self.agent
        team = self.teams is None or (other and self.target_teams is None)
        sponsor = self.sponsor is None or other
        return frozenset(name for name, missing in (("team", team), ("sponsor", sponsor)) if missing)

    def with_approval(self) -> "Facts":
        """The same act, as if people had approved it."""
        return replace(self, approved=True)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kind": self.kind,
            "agent": self.agent,
            "agent_version": self.agent_version,
            "target": self.target,
            "target_effect": self.target_effect,
            "now": self.now.astimezone(UTC).isoformat(),
            "approved": self.approved,
            "arguments": dict(self.arguments),
            "label": self.label.as_json(),
            "provenance": {name: label.as_json() for name, label in self.provenance.items()},
            "history": dict(self.history),
            "teams": None if self.teams is None else list(self.teams),
            "target_teams": None if self.target_teams is None else list(self.target_teams),
            "sponsor": self.sponsor,
            "rehearsed": self.rehearsed,
            "estimate": self.estimate,
            "currency": self.currency,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Facts":
        """The facts of `as_json`: a recorded decision, to be tried on a draft."""
        read = dict(value)
        read["kind"] = ActionKind(read["kind"])
        read["now"] = datetime.fromisoformat(read["now"])
        read["label"] = Label.from_json(read["label"])
        read["provenance"] = {name: Label.from_json(label) for name, label in read["provenance"].items()}
        for name in ("teams", "target_teams"):
            read[name] = None if read[name] is None else tuple(read[name])
        return cls(**read)


def facts_of(
    action: Action,
    *,
    now: datetime,
    approved: bool,
    history: Mapping[str, Any],
    teams: tuple[str, ...] | None = None,
    target_teams: tuple[str, ...] | None = None,
    sponsor: str | None = None,
) -> Facts:
    """The facts of an act; `history` adds to the action's own. An agent without a team has `teams=()`."""
    return Facts(
        kind=action.kind,
        agent=action.agent_slug,
        agent_version=action.agent_version_hash,
        target=action.target,
        target_effect=action.target_effect,
        now=now,
        approved=approved,
        arguments=action.arguments,
        label=action.label,
        provenance=action.provenance,
        history={**action.history, **history},
        teams=() if action.team is None and teams is None else teams,
        target_teams=target_teams,
        sponsor=sponsor,
        rehearsed=action.rehearsed,
        estimate=action.estimate,
        currency=action.currency,
        arguments_text=action.arguments_text,
    )


def facts_digest(facts: Mapping[str, Any], arguments: bytes | None = None) -> str:
    """SHA-256 over RFC 8785 canonical JSON of `as_json`, with its algorithm tag; ValueError for what is not JSON.

    `arguments` is that of the arguments, if it is known.
    """
    text = canonical(facts) if arguments is None else canonical_with(facts, {"arguments": arguments})
    return "sha256:" + hashlib.sha256(text).hexdigest()
