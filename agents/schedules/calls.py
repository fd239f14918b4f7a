"""What a signed call of a trigger does: check it, and start a run in the owner's name, once for each delivery."""

import json
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from agents.runs.models import Run
from agents.runs.services import start_run
from agents.schedules.models import Trigger
from agents.schedules.owners import acting, named
from foundation.access.guards import UnknownError
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.api.doors import Call, allow_calls
from foundation.api.signatures import check, delivery_of
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.instants import database_now
from foundation.secrets.sealing import unseal


def secret_context(trigger: UUID) -> str:
    """What a trigger's secret is sealed for."""
    return f"trigger:{trigger}"


def organisation_of(trigger: UUID) -> UUID | None:
    """The organisation of a trigger, asked before any tenant is open."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT remit_trigger_organisation(%s)", [trigger])
        row = cursor.fetchone()
    return row[0] if row else None


def answer_call(trigger: UUID, call: Call) -> tuple[Run, bool]:
    """The run that a call started, and whether the same delivery had started it before.

    Raises UnknownError, SignatureError, InvalidError, ConflictError, Throttled.
    """
    rows = Trigger.objects.select_related("agent__serving__language_model__provider", "owner")
    found = rows.filter(pk=trigger, enabled=True).first()
    if found is None:
        raise UnknownError("trigger")
    check(unseal(found.sealed_secret, context=secret_context(found.id)), call.headers, call.body, database_now())
    allow_calls(found.id)
    # Calls of one trigger come here one after the other, as each counts itself.
    given, submission = _input(call.body), f"trigger:{found.id}:{delivery_of(call.headers)}"
    former = Run.objects.filter(organisation_id=found.organisation_id, submission=submission).first()
    run = _start(found, call, given, submission) if former is None else _again(former, given)
    Trigger.objects.filter(pk=found.pk).update(called_at=Now())
    who = named(found.owner, request=call.request, address=call.address)
    record(entry(who, "trigger.call", target_kind="trigger", target_id=found.id, target_name=found.name, run=run.id,
                 details={"again": former is not None}))  # fmt: skip
    return run, former is not None


def _start(trigger: Trigger, call: Call, given: str | dict[str, Any], submission: str) -> Run:
    actor = _owner(trigger, call)
    try:
        return start_run(
            actor=actor, agent=trigger.agent, title=trigger.name, input=given, source="trigger", submission=submission,
        )  # fmt: skip
    except InvalidError as error:
        if error.field == "input":
            raise
        # The agent rests, or is nobody's: nothing is wrong with the call.
        raise ConflictError(error.message) from None


def _again(former: Run, given: str | dict[str, Any]) -> Run:
    # Whoever owns the trigger by now, and whatever they may: this delivery was taken, and starts nothing.
    if former.input != given:
        raise ConflictError("Another body came under this name: give this delivery a name of its own.")
    return former


def _owner(trigger: Trigger, call: Call) -> Actor:
    try:
        return acting(trigger.owner, trigger.agent, Permission.RUN_START, request=call.request, address=call.address)
    except InvalidError as error:
        # Nothing is wrong with the call.
        raise ConflictError(error.message) from None


def _input(body: bytes) -> str | dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidError("The body is no JSON in UTF-8: send an object, or a text in quotes.") from None
    if isinstance(found, dict) or (isinstance(found, str) and found.strip()):
        return found
    raise InvalidError("The body is neither an object nor a text: send one of them, as JSON.")
