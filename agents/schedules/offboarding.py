"""A person leaves for good: what hangs on the person here is handed over, or stops."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from agents.registry.models import Agent
from agents.registry.offboarding import hand_over_agents, sponsored_by
from agents.schedules.models import Firing, FiringState, Schedule, Trigger
from foundation.access.guards import require
from foundation.access.models import Grant
from foundation.access.people import keep_an_administrator, refuse_kept
from foundation.access.roles import Permission
from foundation.access.services import grant
from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.delegation.leaving import leave_for_good
from foundation.delegation.models import DelegationGrant
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import ApiKey, Principal, PrincipalKind, PrincipalState
from foundation.identity.step_up import require_fresh
from foundation.inputs import checked_text, refuse_agent
from foundation.instants import database_now


@dataclass(frozen=True, slots=True)
class Belongings:
    """What hangs on a person: the agents that it answers for, what starts runs in its name, what it has lent to agents,
    its keys and its roles.
    """

    agents: list[Agent]
    schedules: list[Schedule]
    triggers: list[Trigger]
    keys: list[ApiKey]
    grants: list[Grant]
    delegations: list[DelegationGrant]


def belongings_of(person: Principal) -> Belongings:
    """For a look before it is handed over, or ends: six queries."""
    place = {"organisation_id": person.organisation_id}
    given = DelegationGrant.objects.filter(**place, person=person, revoked_at=None, expires_at__gt=database_now())
    return Belongings(
        agents=sponsored_by(person),
        schedules=list(Schedule.objects.filter(**place, owner=person).select_related("agent").order_by("name")),
        triggers=list(Trigger.objects.filter(**place, owner=person).select_related("agent").order_by("name")),
        keys=list(ApiKey.objects.filter(**place, principal=person, revoked_at=None).order_by("name")),
        grants=list(Grant.objects.live().filter(**place, principal=person).select_related("target", "custom_role")),
        delegations=list(given.select_related("receiver").order_by("id")),
    )


@transaction.atomic
def offboard_person(
    *, actor: Actor, person: Principal, successor: Principal | None, reason: str, roles: bool = False
) -> Principal:
    """The person leaves: agents go to the successor, or have no owner; keys, sessions and delegations end.

    Schedules and triggers go to the successor too, but start nothing until somebody enables them, unless the successor
    does this itself: nobody's name is used without their knowledge. With `roles` the successor gets the person's roles,
    and so answers the approvals that were asked of them. Raises InvalidError, ConflictError, RefusedError.
    """
    refuse_agent(actor)
    require_fresh(actor)
    reason = checked_text(reason, 300, "reason")
    keep_an_administrator(person)
    found = Principal.objects.select_for_update().get(pk=person.pk)
    _refuse(actor, found, successor)
    held = belongings_of(found)
    if successor is not None:
        hand_over_agents(actor=actor, person=found, successor=successor)
        if roles:
            _give_roles(actor, held.grants, successor)
    started = _hand_over_starts(actor, found, successor)
    details = {
        "successor": successor.id if successor else None,
        "agents": [str(one.id) for one in held.agents[:100]],
        "ownerless": 0 if successor else len(held.agents),
        "starts": [str(one) for one in started[:100]],
        "roles": roles,
    }
    record(
        entry(actor, "person.offboard", target_kind=found.kind, target_id=found.id, target_name=found.name,
              reason=reason, details=details)
    )  # fmt: skip
    return leave_for_good(actor=actor, principal=found, reason=reason)


def _refuse(actor: Actor, person: Principal, successor: Principal | None) -> None:
    if person.kind != PrincipalKind.PERSON:
        raise InvalidError(f"{person.name} is no person: suspend a service, or retire an agent.")
    if person.state == PrincipalState.LEFT:
        raise ConflictError(f"{person.name} has left already.")
    if person.id == actor.principal:
        raise InvalidError("You cannot offboard yourself: ask another administrator, or leave the organisation.")
    refuse_kept(person)
    if successor is None:
        return
    if successor.id == person.id or successor.organisation_id != person.organisation_id:
        raise InvalidError("Name another person of this organisation as the successor.", "successor")
    if successor.kind != PrincipalKind.PERSON or successor.state != PrincipalState.ACTIVE:
        raise InvalidError(f"{successor.name} cannot take it over: name an active person.", "successor")


def _give_roles(actor: Actor, grants: list[Grant], successor: Principal) -> None:
    had = set(Grant.objects.live().filter(principal=successor).values_list("role", "target_id"))
    for one in grants:
        if (one.role, one.target_id) not in had:
            grant(actor=actor, principal=successor, role=one.role, target=one.target, expires_at=one.expires_at,
                  reason=f"Handed over. {one.reason}"[:300].strip())  # fmt: skip


def _hand_over_starts(actor: Actor, person: Principal, successor: Principal | None) -> list[UUID]:
    goes_on = successor is not None and successor.id == actor.principal
    mine = {"organisation_id": person.organisation_id, "owner": person}
    schedules = list(Schedule.objects.select_for_update().filter(**mine))
    triggers = list(Trigger.objects.select_for_update().filter(**mine))
    if not goes_on:
        _stop(schedules)
    for kind, some in (("schedule", schedules), ("trigger", triggers)):
        for one in some:
            require(actor, Permission.AGENT_MANAGE, one.target_id)
            one.owner, one.enabled = successor or person, one.enabled and goes_on
            one.save(update_fields=["owner", "enabled"])
            details = {"owner": one.owner_id, "enabled": one.enabled}
            told = entry(
                actor, f"{kind}.hand_over", target_kind=kind, target_id=one.id, target_name=one.name, details=details
            )
            record(told)
    return [one.id for one in (*schedules, *triggers)]


def _stop(schedules: list[Schedule]) -> None:
    for one in schedules:
        one.next_at, one.problem = None, "In whose name it started has left: look at it, and enable it again."
        one.save(update_fields=["next_at", "problem"])
    queued = Firing.objects.filter(schedule__in=schedules, state=FiringState.QUEUED)
    queued.update(state=FiringState.SKIPPED, reason="The schedule was handed over.")
