"""The door. Every act of an agent (model call, tool call, delegation, run) passes it; settings name the doorkeeper.

Four verbs, so that many steps can share a commit:

* `prepare(actions)` gives verdicts, with no locks and before any transaction;
* `assume(batch, verdicts, settlements)` gathers what is to be written if nothing stands against it, with what refuses
  all of it if something does: one statement then decides and writes. Usually that is all;
* `commit(batch, verdicts, settlements)` runs inside the transaction that writes the intents, and the outcomes before
  them;
* `settle(batch, settlements)` runs inside the transaction that writes the outcomes.

A batch is asked like a cursor, and writes what it gathered with one statement when the transaction ends.

Nothing that has an effect or a cost happens without them. No gate, or no policy, means refused.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from agents.labels import Label
from foundation.batches import Batch, Cursor
from foundation.digests import canonical, canonical_with


class ActionKind(StrEnum):
    """What an agent wants to do."""

    MODEL_CALL = "model_call"
    TOOL_CALL = "tool_call"
    DELEGATION = "delegation"
    RUN_START = "run_start"


APPROVED = "approved"


class Effect(StrEnum):
    """The three outcomes of a decision."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One act, complete enough to be judged, repeated, and bound to an approval.

    `principals` is the chain: the agent first, then whoever it acts for, the person last.
    `target` names the tool, model or agent; `target_version` the hash of its definition.
    `estimate` is the upper bound of what the act can cost, in micro-units of `currency`; None is unknown, and refuses.
    `line` holds the runs above this one, the nearest first: what it spends counts against each of them.
    `provenance` has one Label for each argument, by name. `problem` is what the engine found wrong with the act before
    judging (no such tool, arguments against the schema): not empty, it is refused with these words.
    `approval` is the request that the act waited for; `run_budget` what a run that starts may spend.
    `decision` is the id that the PolicyDecision of this act will have, and `step` the number of the step.
    `configuration` counts the organisation's definitions that the act was planned with; `lineage` the ids of the agent
    and of all above it, whose budgets pay.
    `delegation` is the DelegationGrant that bounds the run.
    `stubbed`: the act is one of a replay; nothing leaves, its outcome is a recorded one. It is judged by the same
    policies, asks nobody and holds no money: `answered` is what people said when the recording was made (`APPROVED`,
    or their refusal in a sentence; empty when it is judged for the first time).
    """

    decision: UUID
    kind: ActionKind
    organisation: UUID
    team: UUID | None
    agent: UUID
    agent_slug: str
    agent_name: str = ""
    agent_version: UUID
    agent_version_hash: str
    principals: tuple[UUID, ...]
    session: UUID | None
    run: UUID
    line: tuple[UUID, ...] = ()
    lineage: tuple[UUID, ...] = ()
    configuration: int = 0
    step: int
    target: str
    target_id: UUID | None = None
    target_version: str = ""
    target_effect: str = "read"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    label: Label = field(default_factory=Label)
    provenance: Mapping[str, Label] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    estimate: int | None = 0
    currency: str = "EUR"
    rehearsed: bool = False
    approval: UUID | None = None
    run_budget: int = 0
    title: str = ""
    problem: str = ""
    requester: UUID | None = None
    delegation: UUID | None = None
    stubbed: bool = False
    answered: str = ""

    @cached_property
    def arguments_text(self) -> bytes:
        """RFC 8785 canonical JSON of the arguments."""
        return canonical(dict(self.arguments))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over RFC 8785 canonical JSON of the exact act, with its algorithm tag: what an approval covers."""
        act = {
            "kind": self.kind,
            "organisation": str(self.organisation),
            "run": str(self.run),
            "agent_version": self.agent_version_hash,
            "principals": [str(principal) for principal in self.principals],
            "target": self.target,
            "target_version": self.target_version,
            "arguments": self.arguments,
        }
        return "sha256:" + hashlib.sha256(canonical_with(act, {"arguments": self.arguments_text})).hexdigest()


@dataclass(frozen=True, slots=True)
class Determinant:
    """A policy that determined a decision: its name, version number, and Cedar effect."""

    policy: str
    version: int
    effect: str

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"policy": self.policy, "version": self.version, "effect": self.effect}


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What an ask requires: who may approve, how many of them, within how many seconds; and the question."""

    approvers: tuple[str, ...]
    quorum: int
    expires_in: int
    question: str = ""
    risk: str = "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judged action. `generation` is the state of the organisation's policies that it was judged under.

    `facts` is what the decision rests on, and `standing` the doorkeeper's own note on the approval that was waited for.
    """

    action: Action
    effect: Effect
    reasons: tuple[str, ...] = ()
    determinants: tuple[Determinant, ...] = ()
    obligation: Obligation | None = None
    generation: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    facts_digest: str = ""
    shadow: str = ""
    standing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What `commit` said of one verdict; one per verdict, in order.

    `effect` may be stricter than the verdict (no money, a changed policy, a consumed approval), never laxer.
    `waits_for` is the id of the approval request when the effect is ask; `retry` is true when policies or definitions
    changed since the act was planned, and it is to be planned again. `scarce` is the organisation, team or agent whose
    budget is all that stands against the act: once it has more, or its next month begins, the act can be tried again;
    with `held`, sooner: calls in flight hold what it needs, and may cost less.
    """

    effect: Effect
    reasons: tuple[str, ...] = ()
    waits_for: UUID | None = None
    cause: str = ""
    scarce: UUID | None = None
    held: bool = False
    retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The outcome of an admitted act: `cost` in micro-units; `sent` is false only if it surely never left.

    `cost` None means unknown: the reserved amount is booked.
    """

    organisation: UUID
    decision: UUID
    run: UUID
    cost: int | None
    sent: bool = True


class Gate(Protocol):
    """The port. Its implementation is named by `settings.AGENTS_GATE`."""

    def prepare(self, actions: Sequence[Action]) -> list[Verdict]:
        """Judge actions: no locks, no writes; an error is a denial. Raises what a database that is away raises."""

    def assume(
        self, batch: Batch, verdicts: Sequence[Verdict], settlements: Sequence[Settlement]
    ) -> tuple[list[Admission], list[int]] | None:
        """As `commit`, without a look: what was gathered raises an error of the database, and writes nothing, unless
        `commit` would come to the same. None: this has to be looked at, and nothing was gathered."""

    def commit(
        self, batch: Batch, verdicts: Sequence[Verdict], settlements: Sequence[Settlement]
    ) -> tuple[list[Admission], list[int]]:
        """In the caller's transaction: book what former acts cost, then record the decisions and hold the money for new
        ones, open or consume approvals. One admission for each verdict, one amount booked for each settlement."""

    def settle(self, batch: Batch, settlements: Sequence[Settlement]) -> list[int]:
        """Book what admitted acts cost, and release what was held; the amounts booked, one for each."""

    def close(self, cursor: Cursor, run: UUID) -> None:
        """In the transaction in which a run ends, before its row is locked: nobody is asked for it any more."""


class NoGateError(RuntimeError):
    """Settings name no gate: nothing may run."""


@lru_cache(maxsize=1)
def get_gate() -> Gate:
    """The doorkeeper that settings name."""
    path = getattr(settings, "AGENTS_GATE", "")
    if not path:
        message = "No gate is set: name one in AGENTS_GATE. Without a gate nothing may run."
        raise NoGateError(message)
    gate: Gate = import_string(path)()
    return gate
