"""What a chain of delegations amounts to: the intersection of what each link of it may do. Nothing else computes it.

A right is a word: a permission such as `run.start`, a tool `tool:<name>`, an agent that may be given work
`agent:<slug>`. A word that ends with `*` stands for all that begin as it does: `tool:*`, `tool:payments.*`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from uuid import UUID

from foundation.access.models import permissions_on
from foundation.access.roles import Permission
from foundation.actors import Actor, ActorKind
from foundation.delegation.models import DelegationGrant
from foundation.identity.models import Principal, PrincipalKind, PrincipalState

DEEPEST = 8  # delegations above one another
ANYTHING_OF_AN_AGENT = frozenset({"tool:*", "agent:*"})

Rights = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of a chain: whose it is, what it lets through, and why it is so much."""

    name: str
    kind: str
    rights: Rights
    why: str
    principal: UUID | None = None


def effective(links: Sequence[Link]) -> Rights:
    """What is left at the end of the chain: what every link lets through. A chain without links lets nothing through.

    Adding a link, or taking a right from one, never adds anything to it.
    """
    return reduce(intersection, (link.rights for link in links)) if links else frozenset()


def intersection(one: Rights, other: Rights) -> Rights:
    """What both hold."""
    return frozenset([*(word for word in one if covers(other, word)), *(word for word in other if covers(one, word))])


def covers(rights: Iterable[str], right: str) -> bool:
    """Whether a right is among others, by its own name or under one that ends with `*`."""
    return any(held == right or (held.endswith("*") and right.startswith(held[:-1])) for held in rights)


def link_of_holder(actor: Actor, target: UUID, using: str = "default") -> Link:
    """What a person or service may itself do on an agent (or any target). Who may start it lets it use its tools."""
    rights: Rights = frozenset()
    why = f"{actor.name} is not active."
    principal = Principal.objects.using(using).filter(pk__in=[actor.principal]).first()
    if principal is not None and principal.state == PrincipalState.ACTIVE:
        held = permissions_on(actor, target, using)
        starts = Permission.RUN_START in held
        rights = frozenset(str(one) for one in held) | (ANYTHING_OF_AN_AGENT if starts else frozenset())
        why = "What its own roles allow." if starts else "Its own roles do not let it start this agent."
    return Link(name=actor.name, kind=actor.kind.value, rights=rights, why=why, principal=actor.principal)


def holder(principal: Principal) -> Actor:
    """A person or service as the one whose rights are asked for."""
    kind = ActorKind.PERSON if principal.kind == PrincipalKind.PERSON else ActorKind.SERVICE
    return Actor(kind=kind, name=principal.name, principal=principal.pk, organisation=principal.organisation_id)


def links_of_delegation(grant: DelegationGrant, now: datetime, using: str = "default") -> list[Link]:
    """The delegations that one rests on, the person's first, then itself. One that is over lets nothing through."""
    return [link_of(one, now) for one in reversed(line_of(grant, using))]


def line_of(grant: DelegationGrant, using: str = "default") -> list[DelegationGrant]:
    """A delegation and those above it, itself first."""
    line, rows = [grant], DelegationGrant.objects.using(using).select_related("giver", "receiver")
    while (above := line[-1].parent_id) is not None and len(line) <= DEEPEST:
        line.append(rows.get(pk=above))
    return line


def is_live(grant: DelegationGrant, now: datetime) -> bool:
    """Whether one delegation, by itself, still counts."""
    return grant.revoked_at is None and grant.expires_at > now


def link_of(grant: DelegationGrant, now: datetime) -> Link:
    """One delegation, by itself. One that is over lets nothing through."""
    live = is_live(grant, now)
    over = "It is revoked." if grant.revoked_at is not None else "It has expired."
    return Link(
        name=f"{grant.giver.name} to {grant.receiver.name}",
        kind="delegation",
        rights=frozenset(grant.scopes) if live else frozenset(),
        why=(grant.reason or "A delegation.") if live else over,
        principal=grant.receiver_id,
    )
