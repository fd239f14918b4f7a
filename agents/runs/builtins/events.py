"""`remit.expect_event` and `remit.wait_for_event`: something outside calls an address, signed, and the run goes on.

The agent learns the address only. The secret that signs the call is shown to people (RUN_CONTROL), who give it to
whoever is to call: an agent's words can be steered by strangers, a secret in them would be theirs.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from agents.labels import Integrity, Label
from agents.runs.builtins.moments import LONGEST_WAIT, now
from agents.runs.builtins.port import Done, Waiting
from agents.runs.journal import ENGINE
from agents.runs.models import Callback, Run, StepState, Wait
from agents.tools.port import ToolEffect
from foundation.audit.plain import plain_text
from foundation.audit.record import entry, record
from foundation.batches import Cursor
from foundation.ids import uuid7
from foundation.secrets.sealing import seal

if TYPE_CHECKING:
    from agents.runs.journal import StepRow
    from agents.runs.models import Step
    from agents.runs.work import Work

EXPECT = "remit.expect_event"
WAIT = "remit.wait_for_event"
PATIENCE = 7 * 86_400  # seconds
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 120, "description": "What is to happen."},
        "patience": {"type": "integer", "minimum": 1, "maximum": LONGEST_WAIT, "description": "In seconds."},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def address_of(callback: Callback) -> str:
    """Where the call is to go."""
    return f"{settings.PUBLIC_URL}/api/v1/callbacks/{callback.id}/call"


def secret_context(callback: UUID) -> str:
    """What the secret of an address is sealed for."""
    return f"callback:{callback}"


class _Event:
    schema = _SCHEMA
    effect = ToolEffect.IDEMPOTENT

    def problem(self, work: "Work", arguments: Mapping[str, Any]) -> str:  # noqa: ARG002 - the port's
        """The schema says it all."""
        return "" if arguments["name"].strip() else "The name is empty."


class ExpectEvent(_Event):
    """Open an address, and go on."""

    name = EXPECT
    description = (
        "Open an address that something outside may call once, and go on. Tell whoever is to call, then wait with "
        "remit.wait_for_event and the same name."
    )

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Done:
        """The address as a row."""
        callback = _open(cursor, work, step)
        return Done(output={"address": address_of(callback), "until": callback.expires_at.isoformat()})

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done:  # noqa: ARG002 - the port's
        """It never waits."""
        return Done(state=StepState.FAILED, error="This tool does not wait.")


class WaitForEvent(_Event):
    """Wait until an address is called."""

    name = WAIT
    description = (
        "Wait until something outside calls the address of this name (opened before by remit.expect_event, or else now)"
        ". `patience` is how many seconds it may take; without a call you are told so, and go on."
    )

    def begin(self, cursor: Cursor, work: "Work", step: "StepRow") -> Done | Waiting:
        """Take over the address that was opened under this name, or open one. It may have been called already."""
        expected = [one.number for one in work.steps if one.name == EXPECT and one.state == StepState.SUCCEEDED]
        callback = (
            Callback.objects.using(ENGINE)
            .select_for_update(of=("self",))
            .filter(run_id=work.run.id, name=name_of(step.input), step__in=expected)
            .order_by("id")
            .first()
        )
        if callback is None:
            return _wait(_open(cursor, work, step))
        callback.step = step.number
        if "patience" in step.input and callback.received_at is None:
            callback.expires_at = until_of(work.run, step.input, now(cursor))
        callback.save(update_fields=["step", "expires_at"])
        return _standing(cursor, callback)

    def look(self, cursor: Cursor, work: "Work", step: "Step") -> Done | Waiting:
        """What came, or that nothing came. The row is locked: no call comes between the look and the wait."""
        rows = Callback.objects.using(ENGINE).select_for_update(of=("self",))
        return _standing(cursor, rows.get(run_id=work.run.id, step=step.number))


def _standing(cursor: Cursor, callback: Callback) -> Done | Waiting:
    if callback.received_at is not None:
        label = Label(Integrity.UNTRUSTED, sources=frozenset({f"callback:{callback.name}"}))
        at = callback.received_at.astimezone(UTC).isoformat()
        return Done(output={"payload": callback.payload, "received_at": at}, label=label)
    if callback.expires_at > now(cursor):
        return _wait(callback)
    return Done(state=StepState.FAILED, error="Nothing called in time.")


def _wait(callback: Callback) -> Waiting:
    shown = {"callback": str(callback.id), "address": address_of(callback), "until": callback.expires_at.isoformat()}
    return Waiting(waits_for=Wait.EVENT, waits_on=callback.id, until=callback.expires_at, output=shown)


def new_callback(run: Run, step: int, name: str, until: datetime) -> Callback:
    """An address of a run, with a secret of its own; not written yet."""
    identifier = uuid7()
    return Callback(
        id=identifier, organisation_id=run.organisation_id, run_id=run.id, step=step, name=name, expires_at=until,
        sealed_secret=seal(secrets.token_urlsafe(32), context=secret_context(identifier)),
    )  # fmt: skip


def name_of(arguments: Mapping[str, Any]) -> str:
    """What is to happen, by the arguments of either tool."""
    return plain_text(arguments["name"].strip())


def _open(cursor: Cursor, work: "Work", step: "StepRow") -> Callback:
    callback = new_callback(work.run, step.number, name_of(step.input), until_of(work.run, step.input, now(cursor)))
    callback.save(using=ENGINE, force_insert=True)
    record(
        entry(work.actor, "callback.open", target_kind="callback", target_id=callback.id, target_name=callback.name,
              run=work.run.id, step=step.number),
        cursor=cursor,
    )  # fmt: skip
    return callback


def until_of(run: Run, arguments: Mapping[str, Any], since: datetime) -> datetime:
    """Until when an address of a run can be called, by the arguments of either tool."""
    return min(since + timedelta(seconds=arguments.get("patience", PATIENCE)), run.deadline)
