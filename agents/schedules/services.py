"""Verbs on schedules and triggers. Whoever decides what is sent, and when, is the owner in whose name runs start."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from agents.registry.models import Agent
from agents.runs.models import Run
from agents.runs.services import start_run
from agents.schedules.calls import secret_context
from agents.schedules.models import Firing, FiringState, Schedule, Trigger
from agents.schedules.owners import owner_by
from agents.schedules.plans import Plan, checked, first_after
from foundation.actors import Actor
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError
from foundation.ids import uuid7
from foundation.inputs import checked_text, refuse_agent
from foundation.instants import database_now
from foundation.secrets.sealing import seal

_CHOSEN = ("name", "kind", "expression", "time_zone", "starts_at", "ends_at", "input", "catch_up", "overlap", "next_at")


@transaction.atomic
def create_schedule(*, actor: Actor, agent: Agent, plan: Plan, enabled: bool = True) -> Schedule:
    """From its next moment on the agent gets the input, in the actor's name."""
    schedule = checked(plan, database_now())
    schedule.owner = owner_by(actor, agent)
    schedule.organisation_id, schedule.agent, schedule.target_id = agent.organisation_id, agent, agent.target_id
    schedule.enabled = enabled
    if not enabled:
        schedule.next_at = None
    schedule.save(force_insert=True)
    record(_about(actor, "schedule.create", schedule, **_described(schedule)))
    return schedule


@transaction.atomic
def change_schedule(
    *, actor: Actor, schedule: Schedule, changes: Mapping[str, Any], seen: str = "", reason: str = ""
) -> Schedule:
    """Another plan from now on, in the actor's name: moments that passed before are not caught up.

    What `changes` does not name stays as it is by then. `seen` is the digest of the plan that the actor has seen:
    another one is a conflict. Raises InvalidError, ConflictError.
    """
    found = _locked(schedule)
    plan = Plan.of(found)
    if seen and seen != plan.digest:
        raise ConflictError("Somebody else has changed this schedule since you opened it: open it again.")
    wanted = checked(replace(plan, **changes), database_now())
    found.owner = owner_by(actor, found.agent)
    for name in _CHOSEN:
        setattr(found, name, getattr(wanted, name))
    if not found.enabled:
        found.next_at = None
    found.problem = ""
    found.save(update_fields=[*_CHOSEN, "owner", "problem"])
    record(_about(actor, "schedule.change", found, reason, **_described(found)))
    return found


@transaction.atomic
def enable_schedule(*, actor: Actor, schedule: Schedule) -> Schedule:
    """It goes on with its next moment; those that passed meanwhile are not caught up."""
    refuse_agent(actor)
    found = _locked(schedule)
    if found.enabled:
        raise ConflictError(f"{found.name} is enabled already.")
    found.next_at = first_after(found, database_now())
    found.enabled, found.problem = True, ""
    found.save(update_fields=["enabled", "next_at", "problem"])
    record(_about(actor, "schedule.enable", found))
    return found


@transaction.atomic
def disable_schedule(*, actor: Actor, schedule: Schedule, reason: str = "") -> Schedule:
    """It starts nothing until it is enabled again, not even what is queued; runs that have begun go on."""
    refuse_agent(actor)
    found = _locked(schedule)
    if not found.enabled:
        raise ConflictError(f"{found.name} is disabled already.")
    found.enabled, found.next_at = False, None
    found.save(update_fields=["enabled", "next_at"])
    queued = Firing.objects.filter(schedule=found, state=FiringState.QUEUED)
    left = queued.update(state=FiringState.SKIPPED, reason="The schedule was disabled.")
    record(_about(actor, "schedule.disable", found, reason, left_out=left))
    return found


@transaction.atomic
def delete_schedule(*, actor: Actor, schedule: Schedule, reason: str = "") -> None:
    """It and its list of firings are gone; the runs that it started stay, and so does what the record tells."""
    refuse_agent(actor)
    found = _locked(schedule)
    gone, _ = Firing.objects.filter(schedule=found).delete()
    record(_about(actor, "schedule.delete", found, reason, firings=gone, **_described(found)))
    found.delete()


@transaction.atomic
def run_now(*, actor: Actor, schedule: Schedule) -> Run:
    """Start a run with the schedule's input at once, in the actor's own name; its moments stay as they are."""
    found = _locked(schedule)
    owner_by(actor, found.agent)
    now = database_now()
    run = start_run(
        actor=actor, agent=found.agent, title=found.name, input=found.input, source="schedule",
        submission=f"schedule:{found.id}:{now.isoformat()}",
    )  # fmt: skip
    Firing.objects.create(
        organisation_id=found.organisation_id, schedule=found, due_at=now, state=FiringState.STARTED, run=run,
        reason=f"Started by {actor.name}.",
    )  # fmt: skip
    record(_about(actor, "schedule.run_now", found, run=run.id))
    return run


@transaction.atomic
def create_trigger(*, actor: Actor, agent: Agent, name: str) -> tuple[Trigger, str]:
    """An address whose signed calls start runs in the actor's name, and the secret that signs: it is shown only now."""
    owner, identifier, secret = owner_by(actor, agent), uuid7(), _new_secret()
    trigger = Trigger.objects.create(
        id=identifier, organisation_id=agent.organisation_id, agent=agent, target_id=agent.target_id, owner=owner,
        name=checked_text(name, 120), sealed_secret=_sealed(secret, identifier),
    )  # fmt: skip
    record(_told(actor, "trigger.create", trigger))
    return trigger, secret


@transaction.atomic
def change_trigger(*, actor: Actor, trigger: Trigger, name: str) -> Trigger:
    """Another name."""
    refuse_agent(actor)
    found = _held(trigger)
    former, found.name = found.name, checked_text(name, 120)
    found.save(update_fields=["name"])
    record(_told(actor, "trigger.change", found, former=former))
    return found


@transaction.atomic
def rotate_trigger_secret(*, actor: Actor, trigger: Trigger, reason: str = "") -> tuple[Trigger, str]:
    """Another secret, shown only now; the former one signs nothing any more. Runs start in the actor's name now."""
    found, secret = _held(trigger), _new_secret()
    found.owner = owner_by(actor, found.agent)
    found.sealed_secret = _sealed(secret, found.id)
    found.save(update_fields=["owner", "sealed_secret"])
    record(_told(actor, "trigger.rotate_secret", found, reason))
    return found, secret


@transaction.atomic
def enable_trigger(*, actor: Actor, trigger: Trigger) -> Trigger:
    """Its calls are answered again."""
    refuse_agent(actor)
    found = _held(trigger)
    if found.enabled:
        raise ConflictError(f"{found.name} is enabled already.")
    found.enabled = True
    found.save(update_fields=["enabled"])
    record(_told(actor, "trigger.enable", found))
    return found


@transaction.atomic
def disable_trigger(*, actor: Actor, trigger: Trigger, reason: str = "") -> Trigger:
    """To whoever calls it, it is not there."""
    refuse_agent(actor)
    found = _held(trigger)
    if not found.enabled:
        raise ConflictError(f"{found.name} is disabled already.")
    found.enabled = False
    found.save(update_fields=["enabled"])
    record(_told(actor, "trigger.disable", found, reason))
    return found


@transaction.atomic
def delete_trigger(*, actor: Actor, trigger: Trigger, reason: str = "") -> None:
    """It is gone; the runs that it started stay."""
    refuse_agent(actor)
    found = _held(trigger)
    record(_told(actor, "trigger.delete", found, reason))
    found.delete()


def _new_secret() -> str:
    return f"rts_{secrets.token_urlsafe(32)}"


def _sealed(secret: str, trigger: UUID) -> str:
    return seal(secret, context=secret_context(trigger))


def _locked(schedule: Schedule) -> Schedule:
    if not Schedule.objects.lock(schedule.pk):
        raise ConflictError("The schedule is deleted already.")
    return Schedule.objects.select_related("agent__serving__language_model__provider", "owner").get(pk=schedule.pk)


def _held(trigger: Trigger) -> Trigger:
    if not Trigger.objects.lock(trigger.pk):
        raise ConflictError("The trigger is deleted already.")
    return Trigger.objects.select_related("agent", "owner").get(pk=trigger.pk)


def _described(schedule: Schedule) -> dict[str, Any]:
    moments = {name: one.isoformat() if (one := getattr(schedule, name)) else None for name in ("starts_at", "ends_at")}
    chosen = {name: getattr(schedule, name) for name in ("kind", "expression", "time_zone", "catch_up", "overlap")}
    return {**chosen, **moments, "enabled": schedule.enabled, "agent": schedule.agent.slug, "owner": schedule.owner_id}


def _about(actor: Actor, action: str, schedule: Schedule, reason: str = "", **details: Any) -> Entry:
    return entry(actor, action, target_kind="schedule", target_id=schedule.id, target_name=schedule.name,
                 reason=reason, details=details)  # fmt: skip


def _told(actor: Actor, action: str, trigger: Trigger, reason: str = "", **details: Any) -> Entry:
    named = {"agent": trigger.agent.slug, "owner": trigger.owner_id, **details}
    return entry(actor, action, target_kind="trigger", target_id=trigger.id, target_name=trigger.name,
                 reason=reason, details=named)  # fmt: skip
