"""How far a principal reaches: the questions that are asked for every page, each as one statement."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Expression, F

from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.prepared import asked

NONE = "{}"  # an empty array

_KNOWN = {one.value: one for one in Permission}

# Rows by rows: the target and what is above it, each looked up among what the principal holds.
_COVERED = """EXISTS (
    SELECT FROM organisations_granttarget n JOIN access_holding h ON h.content_object_id = ANY(n.lineage)
    WHERE n.id = {} AND h.principal_id = %s AND h.permission_id = %s
        AND (h.expires_at IS NULL OR h.expires_at > now()))"""
_HELD = "SELECT array_to_string(remit_held($1, $2), ' ')"
_REACH = "SELECT permission, somewhere, everywhere FROM remit_reach($1, $2, $3)"
_NODES = "SELECT permission, somewhere, everywhere, teams, agents FROM remit_reach_nodes($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a principal holds a permission on anything at all, and on the whole organisation.

    `permission` is the id of its row among Django's permissions. Where it was asked for, `teams` are the ids of those
    that are reached, those below others too, as the database writes an array: it is given back as it came. `agents`
    says whether any agent is reached by itself.
    """

    organisation: UUID | None = None
    principal: UUID | None = None
    permission: int = 0
    somewhere: bool = False
    everywhere: bool = False
    teams: str | None = None
    agents: bool = False


def reach_of(actor: Actor, permission: str, using: str = "default", *, nodes: bool = False) -> Reach:
    """How far an actor's principal reaches; the scopes of its key are not looked at. One statement."""
    if actor.principal is None or actor.organisation is None:
        return Reach()
    statement = _NODES if nodes else _REACH
    values = [actor.principal, str(permission), actor.organisation]
    identifier, somewhere, everywhere, *more = asked(statement, values, using)
    teams, agents = more or (None, None)
    number = int(identifier or 0)
    return Reach(actor.organisation, actor.principal, number, somewhere == "t", everywhere == "t", teams, agents == "t")


def held_on(principal: UUID, target: UUID, using: str = "default") -> frozenset[Permission]:
    """What a principal holds on a target, through every grant on it and above it. One statement."""
    (names,) = asked(_HELD, [principal, target], using)
    return _known(names or "")  # null before access/0005: code and database are not renewed at once


@lru_cache(maxsize=1_000)
def _known(names: str) -> frozenset[Permission]:
    """The words of names; what is no permission of ours is left out. Roles are few, and so are these."""
    return frozenset(_KNOWN[name] for name in names.split() if name in _KNOWN)


class Covered(Expression):
    """Whether the target at the end of a path is one that a principal reaches."""

    conditional = True

    def __init__(self, path: str, reach: Reach) -> None:
        super().__init__(output_field=BooleanField())
        self.target: Any = F(path)
        self.reach = reach

    def get_source_expressions(self) -> list[Any]:
        """The column of the target."""
        return [self.target]

    def set_source_expressions(self, exprs: Any) -> None:
        """The column, once it is resolved."""
        (self.target,) = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:  # noqa: ARG002 - Django's signature
        """One sub-query for each row, through two indexes."""
        column, values = compiler.compile(self.target)
        return _COVERED.format(column), (*values, self.reach.principal, self.reach.permission)
