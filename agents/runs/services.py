"""Verbs on runs."""

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from agents.labels import Integrity, Label, join
from agents.registry.models import Agent, AgentState, AgentVersion
from agents.runs.claims import wake
from agents.runs.inputs import check_input
from agents.runs.models import ENDED, Event, Relation, Run, RunState, Session, SessionState, Step, StepState, Wait
from agents.runs.remit import check_delegation
from agents.runs.tasks import ring
from agents.runs.telling import tell
from foundation.actors import Actor
from foundation.audit.plain import plain_text
from foundation.audit.record import entry, record
from foundation.delegation.models import DelegationGrant
from foundation.errors import ConflictError, InvalidError
from foundation.identity.models import PrincipalState
from foundation.ids import uuid7
from foundation.inputs import refuse_agent
from foundation.instants import database_now
from foundation.organisations.models import Organisation

_RESOLVED = {"done": StepState.SUCCEEDED, "failed": StepState.FAILED, "retry": StepState.INTENDED}


@transaction.atomic
def start_run(
    *, actor: Actor, agent: Agent, title: str, input: str | dict[str, Any], source: str = "console",  # noqa: A002 - the field's word
    submission: str | None = None, trusted: bool = False, session: Session | None = None,
    version: AgentVersion | None = None, delegation: DelegationGrant | None = None,
) -> Run:  # fmt: skip
    """Queue the work caused by one input: in a new session, or as the next turn of `session`.

    `submission` makes it happen once: the same key gives the same run. The input counts as untrusted unless the caller
    says that its whole text is the person's own word. A session keeps the version that it is pinned to, whatever
    serves by now; a new one gets `version`, or the one that serves. With a `delegation` that the actor gave the agent,
    the run may do no more than that says.
    """
    refuse_agent(actor)
    if delegation is not None:
        check_delegation(actor, agent, delegation)
    if (given := session) is not None:
        session = _continued(given, agent, version)
        version = session.version
    if submission:
        # After the session is locked: whoever submitted the same at this moment has committed by now.
        former = Run.objects.filter(organisation_id=agent.organisation_id, submission=submission).first()
        if former is not None:
            return _same(former, actor, agent, input, session, delegation)
    if session is not None:
        _refuse_busy(session)
    version = version or agent.serving
    if agent.state != AgentState.ACTIVE or version is None:
        raise InvalidError(
            f"{agent.name} is {agent.get_state_display().lower()}: only an active agent with a version starts runs."
        )
    if agent.sponsor is None or agent.sponsor.state != PrincipalState.ACTIVE:
        raise InvalidError(f"{agent.name} is ownerless: somebody must take it over before it starts anything.")
    check_input(input)
    asked = Label(Integrity.TRUSTED if trusted else Integrity.UNTRUSTED, sources=frozenset({f"input:{source}"}))
    label = asked.as_json()
    organisation = Organisation.objects.get(pk=agent.organisation_id)
    identifier = uuid7()
    try:
        with transaction.atomic():
            if session is None:
                session = Session.objects.create(
                    organisation=organisation, agent=agent, version=version, target_id=agent.target_id,
                    counterpart=actor.name, label=label, turns=1,
                )  # fmt: skip
            else:
                _begin_turn(session, asked)
            run = Run.objects.create(
                id=identifier, organisation=organisation, session=session, agent=agent, version=version,
                target_id=agent.target_id, root_id=identifier, requester_id=actor.principal,
                chain=[str(one) for one in ((actor.principal,) if actor.principal else ())], delegation=delegation,
                title=plain_text(title.strip() or "Untitled")[:200], source=source, submission=submission, input=input,
                input_label=label, deadline=database_now() + timedelta(seconds=version.max_seconds),
                budget=version.run_budget, max_tokens=version.max_tokens, currency=organisation.currency,
                events_written=1, rehearsed=version.language_model.provider.rehearsal,
            )  # fmt: skip
    except IntegrityError:
        # Somebody else submitted the same at this moment: theirs is the run.
        former = Run.objects.get(organisation=organisation, submission=submission)
        return _same(former, actor, agent, input, given, delegation)
    Event.objects.create(run_id=run.id, number=1, organisation=organisation, kind="run.queued", data={})
    record(
        entry(actor, "run.start", target_kind="run", target_id=run.id, target_name=run.title, run=run.id,
              details={"agent": agent.slug, "version": version.number, "source": source, "session": str(session.id)})
    )  # fmt: skip
    transaction.on_commit(lambda: ring(run.id), robust=True)
    return run


def _continued(session: Session, agent: Agent, version: AgentVersion | None) -> Session:
    """The session, locked, so that its turns come one after the other. Raises ConflictError, InvalidError."""
    Session.objects.lock(session.pk, no_key=True)
    found = Session.objects.select_related("version__language_model__provider").get(pk=session.pk)
    if found.agent_id != agent.id:
        raise InvalidError("This session belongs to another agent: start the run with that one.", "session")
    if version is not None and version.pk != found.version_id:
        raise InvalidError(
            f"This session is pinned to version {found.version.number}: move it first, or leave the version out.",
            "version",
        )
    return found


def _refuse_busy(session: Session) -> None:
    if session.state == SessionState.CLOSED:
        raise ConflictError("This session is closed: open another one.")
    running = Run.objects.filter(session=session).exclude(state__in=ENDED).first()
    if running is not None:
        raise ConflictError(
            f"This session has a run that has not ended ({running.get_state_display().lower()}): "
            "wait for it, or cancel it first."
        )


def _begin_turn(session: Session, asked: Label) -> None:
    """What is asked joins what the session has seen; it forgets no doubt."""
    seen = Label.from_json(session.label) if session.label else join([])
    begun = Run.objects.filter(session=session).count()
    Session.objects.filter(pk=session.pk).update(label=seen.join(asked).as_json(), turns=begun + 1)


def _same(
    former: Run, actor: Actor, agent: Agent, given: str | dict[str, Any], session: Session | None,
    delegation: DelegationGrant | None,
) -> Run:  # fmt: skip
    # Whoever else sends the same is not told that it is the same: the input is not theirs to read.
    # A session may have been handed over since: its agent is then another one.
    here = former.session_id == session.pk if session is not None else former.agent_id == agent.id
    asked = (actor.principal, given, delegation.pk if delegation else None)
    if not here or (former.requester_id, former.input, former.delegation_id) != asked:
        raise ConflictError("Something else was submitted under this key: use another one.")
    return former


@transaction.atomic
def cancel_run(*, actor: Actor, run: Run, reason: str = "") -> None:
    """Ask a run to end; it does so before its next act. Its children end too."""
    refuse_agent(actor)
    found = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if found.state in ENDED:
        raise ConflictError(f"This run has already ended: it is {found.get_state_display().lower()}.")
    Run.objects.filter(pk=found.pk, state=RunState.WAITING).update(
        state=RunState.QUEUED, waits_for="", waits_on=None, wake_at=None
    )
    Run.objects.filter(pk=found.pk).update(cancel_requested=True)
    record(
        entry(actor, "run.cancel", target_kind="run", target_id=found.id, target_name=found.title, run=found.id,
              reason=reason)
    )  # fmt: skip
    transaction.on_commit(lambda: ring(found.id), robust=True)


@transaction.atomic
def resolve_unknown(*, actor: Actor, run: Run, number: int, outcome: str, evidence: str) -> None:
    """A person's word on an effect whose outcome nobody knows: `done` or `failed` with evidence, or `retry`.

    A run that has ended takes it too, but for `retry`: it stays ended, and can then be retried or forked behind it.
    """
    if not actor.is_person:
        raise InvalidError("Only a person may say what happened.")
    if outcome not in {"done", "failed", "retry"}:
        raise InvalidError("Say done, failed or retry.", field="outcome")
    if not evidence.strip():
        raise InvalidError("Say how you know: a receipt, a ledger entry, an answer.", field="evidence")
    found = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    step = Step.objects.filter(run_id=found.id, number=number, state=StepState.UNKNOWN).first()
    has_ended = found.state in ENDED
    if step is None or not (has_ended or (found.state == RunState.WAITING and found.waits_for == Wait.PERSON)):
        raise ConflictError("This step does not wait for your word any more.")
    if has_ended:
        _refuse_late(found, outcome)
    rows = Step.objects.filter(run_id=found.id, number=number)
    if outcome == "done":
        rows.update(state=StepState.SUCCEEDED, output={"confirmed": evidence}, ended_at=database_now())
    elif outcome == "failed":
        rows.update(state=StepState.FAILED, error=f"A person found that it did not happen: {evidence}",
                    ended_at=database_now())  # fmt: skip
    else:
        rows.update(state=StepState.INTENDED, usage={"again": step.attempt})
    record(
        entry(actor, f"step.resolve.{outcome}", target_kind="step", target_id=found.id, target_name=step.name,
              run=found.id, step=number, reason=evidence)
    )  # fmt: skip
    state = _RESOLVED[outcome]
    tell(found, f"step.{state.value}", {"step": number, "kind": step.kind, "name": step.name, "state": state.value,
                                        "resolved": outcome})  # fmt: skip
    if has_ended:
        return
    with connection.cursor() as cursor:
        wake(cursor, found.id, found.waits_on or found.id)
    transaction.on_commit(lambda: ring(found.id), robust=True)


def _refuse_late(run: Run, outcome: str) -> None:
    if run.relation == Relation.REPLAY:
        raise ConflictError("A replay did nothing: say what happened at the step of the run that it replays.")
    if outcome == "retry":
        raise ConflictError(
            "This run has ended, and does nothing again: say that it failed, then retry the run from this step."
        )
