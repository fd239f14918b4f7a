"""Verbs on what runs wait for: a person's answer, a call from outside. A wait's own row is locked before its run's."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agents.runs.builtins.events import secret_context
from agents.runs.claims import wake
from agents.runs.models import ENDED, Callback, InputRequest, InputState, Run
from agents.runs.questions import answer_problem
from agents.runs.tasks import ring
from foundation.access.guards import UnknownError
from foundation.access.models import PermittedQuerySet
from foundation.actors import Actor, ActorKind
from foundation.api.doors import allow_calls
from foundation.api.signatures import check
from foundation.audit.plain import plain
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.inputs import MOST_LEVELS, checked_json, is_too_deep
from foundation.instants import database_now
from foundation.secrets.sealing import unseal

LARGEST_ANSWER = 64 * 1024  # bytes
LARGEST_PAYLOAD = 256 * 1024  # bytes
_TOO_DEEP = f"The body has more than {MOST_LEVELS} levels of lists and objects in one another: make it flatter."


@transaction.atomic
def answer_question(*, actor: Actor, request: InputRequest, answer: Mapping[str, Any]) -> InputRequest:
    """A person's answer to an agent's question: the first one counts, and the run goes on."""
    if not actor.is_person:
        raise InvalidError("Only a person may answer an agent's question.")
    found = InputRequest.objects.select_for_update(of=("self",)).select_related("run").get(pk=request.pk)
    moment = database_now()
    if found.state != InputState.OPEN or found.expires_at <= moment or found.run.state in ENDED:
        raise ConflictError(f"This question is not open any more: {_standing_of(found)}.")
    given = checked_json(answer, LARGEST_ANSWER, "answer")
    if not isinstance(given, Mapping):
        raise InvalidError("The answer must be an object with the form's fields.", field="answer")
    field, problem = answer_problem(found.schema, given)
    if problem:
        raise InvalidError(problem, field=field or "answer")
    found.state, found.answer, found.answered_at = InputState.ANSWERED, plain(given, fractions=True), moment
    found.answered_by_id = actor.principal
    found.save(update_fields=["state", "answer", "answered_at", "answered_by"])
    record(
        entry(actor, "question.answer", target_kind="question", target_id=found.id, run=found.run_id, step=found.step,
              target_name=f"Question at step {found.step}")
    )  # fmt: skip
    _wake(found.run_id, found.id)
    return found


@transaction.atomic
def show_secret(*, actor: Actor, callback: Callback) -> str:
    """What signs the call of an address; whoever sees it is recorded."""
    if not actor.is_person and actor.kind is not ActorKind.SERVICE:
        raise InvalidError("Only a person or a service may see what signs a call.")
    found = Callback.objects.select_for_update(of=("self",)).get(pk=callback.pk)
    if found.received_at is not None:
        raise ConflictError("This address was called already, and cannot be called again.")
    record(
        entry(actor, "callback.show_secret", target_kind="callback", target_id=found.id, target_name=found.name,
              run=found.run_id, step=found.step)
    )  # fmt: skip
    return unseal(found.sealed_secret, context=secret_context(found.id))


@transaction.atomic
def receive_callback(callback_id: UUID, body: bytes, headers: Mapping[str, str], address: str = "") -> None:
    """A call from outside: accepted once, if it is signed with the address's secret. Its word is nobody's we trust.

    `headers` are those of `foundation.api.signatures`. Raises UnknownError, SignatureError, InvalidError (not JSON, too
    large) or ConflictError (again, or too late). Call it in the organisation's transaction.
    """
    rows = Callback.objects.select_for_update(of=("self",)).select_related("run")
    found = rows.filter(pk=callback_id).first()
    if found is None:
        raise UnknownError("callback")
    moment = database_now()
    check(unseal(found.sealed_secret, context=secret_context(found.id)), headers, body, moment)
    allow_calls(found.id)
    if len(body) > LARGEST_PAYLOAD:
        raise InvalidError(f"The body is larger than {LARGEST_PAYLOAD // 1024} KiB: send less, or where it is.")
    if found.received_at is not None:
        raise ConflictError("This address was called already: it takes one call.")
    if found.expires_at <= moment or found.run.state in ENDED:
        raise ConflictError("Nothing waits at this address any more.")
    found.payload, found.received_at = _payload(body), moment
    found.save(update_fields=["payload", "received_at"])
    actor = Actor(kind=ActorKind.ANONYMOUS, name="a caller from outside", organisation=found.organisation_id,
                  address=address)  # fmt: skip
    record(
        entry(actor, "callback.receive", target_kind="callback", target_id=found.id, target_name=found.name,
              run=found.run_id, step=found.step, details={"bytes": len(body)})
    )  # fmt: skip
    _wake(found.run_id, found.id)


def organisation_of(callback_id: UUID) -> UUID | None:
    """The organisation of an address, asked before any tenant is open."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT remit_callback_organisation(%s)", [callback_id])
        row = cursor.fetchone()
    return row[0] if row else None


def wake_for_budget(scope: UUID) -> None:
    """The runs that wait for money of an organisation, team or agent are ready: call it when its budget has changed.

    Whoever waits has looked at the budget's row under a lock, and said so in the same transaction: nobody is missed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE runs_run SET state = 'queued', waits_for = '', waits_on = NULL, wake_at = NULL, "
            "rung_at = clock_timestamp() WHERE id IN (SELECT id FROM runs_run WHERE state = 'waiting' "
            "AND waits_for = 'budget' AND waits_on = %s ORDER BY depth, id FOR UPDATE) RETURNING id",
            [scope],
        )
        woken = [row[0] for row in cursor.fetchall()]
    transaction.on_commit(lambda: ring(*woken), robust=True)


def _payload(body: bytes) -> Any:
    try:
        found = json.loads(body or b"null")
    except RecursionError:
        raise InvalidError(_TOO_DEEP) from None
    except ValueError as error:
        raise InvalidError("The body is not JSON.") from error
    if is_too_deep(found):
        raise InvalidError(_TOO_DEEP)
    return plain(found, fractions=True)


def _wake(run: UUID, waits_on: UUID) -> None:
    with connection.cursor() as cursor:
        wake(cursor, run, waits_on)
    transaction.on_commit(lambda: ring(run), robust=True)


def _standing_of(request: InputRequest) -> str:
    if request.state == InputState.ANSWERED:
        return "somebody has answered it"
    return "its run has ended" if request.state == InputState.VOID or request.run.state in ENDED else "its time is over"


def open_questions() -> PermittedQuerySet[InputRequest]:
    """The questions that wait for an answer, newest first; add `.permitted(actor, Permission.RUN_CONTROL)`."""
    return InputRequest.objects.filter(state=InputState.OPEN, run__in=Run.objects.exclude(state__in=ENDED))
