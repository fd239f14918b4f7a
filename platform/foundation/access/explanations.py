"""Answers to two questions: why may somebody do this here, and who may do this here?"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from foundation.access.models import Grant, GrantQuerySet
from foundation.identity.models import GroupMember, Principal, PrincipalKind, PrincipalState
from foundation.organisations.models import GrantTarget


@dataclass(frozen=True, slots=True)
class Path:
    """One way by which somebody holds something: a grant, to them or to a group of theirs, here or above.

    `nodes` leads from where the grant stands down to the target; `group` is None for a grant of their own.
    """

    principal: Principal
    grant: Grant
    group: Principal | None
    nodes: tuple[GrantTarget, ...]
    permissions: tuple[str, ...]

    @property
    def expires_at(self) -> datetime | None:
        """When it ends by itself."""
        return self.grant.expires_at

    @property
    def role_name(self) -> str:
        """The role in words."""
        custom = self.grant.custom_role
        return custom.name if custom else self.grant.role.replace("-", " ").capitalize()


def why(principal: Principal, target: GrantTarget, permission: str = "") -> list[Path]:
    """All ways by which somebody holds a permission (or anything) on a target, the nearest grant first.

    None for whoever may not act at all: suspended, or gone.
    """
    if principal.state != PrincipalState.ACTIVE:
        return []
    grants = _standing(target, permission).reaching(principal.id)
    return list(_paths(target, ((principal, one) for one in grants)))


def who(target: GrantTarget, permission: str) -> list[Path]:
    """Everybody who holds a permission on a target, with each way by which they do, by name."""
    grants = list(_standing(target, permission))
    groups = [one.principal_id for one in grants if one.principal.kind == PrincipalKind.GROUP]
    members: dict[UUID, list[Principal]] = defaultdict(list)
    for seat in GroupMember.objects.filter(group_id__in=groups).select_related("member"):
        members[seat.group_id].append(seat.member)
    pairs = ((one, grant) for grant in grants for one in members.get(grant.principal_id, [grant.principal]))
    people = [pair for pair in pairs if pair[0].state == PrincipalState.ACTIVE and pair[0].kind != PrincipalKind.GROUP]
    return sorted(_paths(target, people), key=lambda path: (path.principal.name, str(path.principal.id)))


def _standing(target: GrantTarget, permission: str) -> GrantQuerySet:
    """The live grants on a target and above it; those of groups that have ended count for nobody."""
    found = Grant.objects.live().filter(target_id__in=target.lineage)
    found = found.filter(~Q(principal__kind=PrincipalKind.GROUP) | Q(principal__state=PrincipalState.ACTIVE))
    found = found.select_related("principal", "target", "custom_role")
    return found.holding(permission) if permission else found


def _paths(target: GrantTarget, pairs: Iterable[tuple[Principal, Grant]]) -> Iterator[Path]:
    line = sorted(GrantTarget.objects.filter(id__in=target.lineage), key=lambda node: len(node.lineage))
    ordered = sorted(pairs, key=lambda pair: (-len(pair[1].target.lineage), pair[1].role))
    for principal, grant in ordered:
        nodes = tuple(node for node in line if len(node.lineage) >= len(grant.target.lineage))
        group = grant.principal if grant.principal.kind == PrincipalKind.GROUP else None
        yield Path(principal, grant, group, nodes, tuple(sorted(grant.permissions)))
