"""Token exchange (RFC 8693): from whoever is acted for, to a token of the agent that acts; from there to a sub-agent.

Each step rests on a DelegationGrant, and what comes out is the intersection of all that was given on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from foundation.actors import Actor
from foundation.delegation.effective import (
    DEEPEST,
    Link,
    Rights,
    covers,
    effective,
    is_live,
    line_of,
    link_of_holder,
    links_of_delegation,
)
from foundation.delegation.models import DelegationGrant
from foundation.delegation.standing import link_of_token, links_of_holders
from foundation.delegation.tokens import Claims, Party, end_of

LONGEST_SCOPES = 8_000  # characters of them together: a token of more is none (tokens.LONGEST), and fits no header

# The same for an agent that there is and for one that there is not: not everybody may know which there are.
NOT_LET = "There is no such agent, it is not active, or nobody lets it act here (any more)."


class ExchangeError(Exception):
    """An exchange is refused; `code` is that of RFC 6749, section 5.2, or RFC 8693, section 2.2.2."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The agent that is to act, and what its own definition lets it do."""

    principal: UUID
    slug: str
    name: str
    rights: Rights


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for: audiences, and scopes; without scopes, all that there are."""

    audience: tuple[str, ...]
    scopes: Rights


def for_person(actor: Actor, receiver: Receiver, wish: Wish, now: datetime) -> Claims:
    """From a person or service, who presents its own key, to the agent that it lets act. Raises ExchangeError."""
    if actor.principal is None or actor.organisation is None:
        raise ExchangeError("invalid_request", "Nobody can be acted for here: present a key of a person or service.")
    grants = _grants(actor.organisation, giver_id=actor.principal, receiver_id=receiver.principal, parent=None)
    grant, audience = _chosen(grants, wish, now, NOT_LET)
    links = [link_of_holder(actor, receiver.principal), *links_of_delegation(grant, now), _own(receiver)]
    return Claims(
        agent=receiver.principal,
        agent_slug=receiver.slug,
        organisation=actor.organisation,
        audience=audience,
        scopes=_scopes(links, wish),
        on_behalf_of=(Party(actor.principal, actor.kind.value),),
        delegation=grant.pk,
        key=actor.key,
        issued_at=now,
        expires_at=_end(grant, now),
    )


def for_agent(token: Claims, receiver: Receiver, wish: Wish, now: datetime) -> Claims:
    """From a token of an agent to its sub-agent, or to the same agent with less. Raises ExchangeError."""
    if token.delegation is None:
        raise ExchangeError("invalid_request", "The token rests on no delegation: nothing of it can be passed on.")
    if len(token.on_behalf_of) >= DEEPEST:
        raise ExchangeError("invalid_request", f"Delegations rest on one another {DEEPEST} deep at most.")
    same = receiver.principal == token.agent
    if same:
        grants = _grants(token.organisation, pk=token.delegation)
    else:
        found = _grants(token.organisation, giver_id=token.agent, receiver_id=receiver.principal)
        grants = [one for one in found if token.delegation in {above.pk for above in line_of(one)[1:]}]
    grant, audience = _chosen(grants, wish, now, NOT_LET)
    links = [*links_of_holders(token), link_of_token(token), *links_of_delegation(grant, now), _own(receiver)]
    return Claims(
        agent=receiver.principal,
        agent_slug=receiver.slug,
        organisation=token.organisation,
        audience=audience,
        scopes=_scopes(links, wish),
        run=token.run,
        on_behalf_of=token.on_behalf_of if same else (Party(token.agent, "agent"), *token.on_behalf_of),
        delegation=grant.pk,
        key=token.key,
        issued_at=now,
        expires_at=_end(grant, now, token.expires_at),
    )


def _grants(organisation: UUID, **lookup: object) -> list[DelegationGrant]:
    rows = DelegationGrant.objects.filter(organisation_id=organisation, **lookup).select_related("giver", "receiver")
    return list(rows.order_by("-id"))


def _chosen(
    grants: Sequence[DelegationGrant], wish: Wish, now: datetime, none: str
) -> tuple[DelegationGrant, tuple[str, ...]]:  # fmt: skip
    """The newest delegation that is in force, reaches the audience and covers the scopes; and the audience."""
    lines = [line for line in map(line_of, grants) if all(is_live(one, now) for one in line)]
    if not lines:
        raise ExchangeError("invalid_request", none)
    reaching = [line for line in lines if all(set(wish.audience) <= set(one.audience) for one in line)]
    if not reaching:
        raise ExchangeError("invalid_target", f"No delegation reaches {', '.join(wish.audience)}.")
    fitting = [line for line in reaching if all(covers(one.scopes, word) for one in line for word in wish.scopes)]
    if not fitting:
        raise ExchangeError("invalid_scope", "No delegation covers all of these scopes.")
    grant = fitting[0][0]
    audience = wish.audience or tuple(grant.audience)
    if not wish.audience and len(audience) != 1:
        raise ExchangeError("invalid_target", f"Name an audience: {', '.join(audience)}.")
    return grant, audience


def _scopes(links: Sequence[Link], wish: Wish) -> Rights:
    left = effective(links)
    if lacking := sorted(word for word in wish.scopes if not covers(left, word)):
        bound = next(link for link in links if not covers(link.rights, lacking[0]))
        raise ExchangeError("invalid_scope", f"{lacking[0]} is not left at the end of the chain ({bound.name}).")
    if not left:
        raise ExchangeError("invalid_scope", "Nothing is left at the end of the chain.")
    if not wish.scopes and sum(map(len, left)) > LONGEST_SCOPES:
        raise ExchangeError("invalid_scope", f"{len(left)} scopes are left, more than a token holds: name some.")
    return wish.scopes or left


def _end(grant: DelegationGrant, now: datetime, *bounds: datetime) -> datetime:
    return end_of(now, *bounds, *(one.expires_at for one in line_of(grant)))


def _own(receiver: Receiver) -> Link:
    why = "The tools and agents that its version names."
    return Link(name=receiver.name, kind="version", rights=receiver.rights, why=why, principal=receiver.principal)
