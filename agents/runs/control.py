"""Verbs by which people steer runs: pause and resume; retry, fork and replay, which each make another run."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.registry.models import AgentVersion
from agents.runs.copies import copy_steps, make_run, whole_journal
from agents.runs.models import ENDED, Relation, Run, RunState, Step, StepState, Wait
from agents.runs.repeats import refuse_done
from agents.runs.tasks import ring
from agents.runs.telling import tell
from agents.runs.versions import require_version
from agents.tools.builtins import HAND_OVER
from foundation.actors import Actor
from foundation.audit.record import entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.inputs import refuse_agent

_RETRY = "retry"
_OPEN = {StepState.INTENDED, StepState.WAITING}


@transaction.atomic
def pause_run(*, actor: Actor, run: Run, reason: str = "") -> None:
    """Hold a run and all below it before their next act. Whatever it waits for may still come; its time runs on.

    A queued run is paused at once, a running one when its worker next writes. One that waits keeps its wait, and is
    paused when that is over: so no approval, answer or child's end that comes meanwhile is lost. Raises ConflictError.
    """
    refuse_agent(actor)
    found = _locked(run)
    if found.cancel_requested:
        raise ConflictError("This run is being cancelled: there is nothing to pause.")
    if found.pause_requested:
        raise ConflictError("This run is paused already, or about to be: resume it first.")
    held = 0
    for one in _with_all_below(found):
        if not (one.pause_requested or one.cancel_requested):
            _hold(one)
            held += 1
    record(_said(actor, "run.pause", found, reason, {"runs": held}))


def _hold(run: Run) -> None:
    rows = Run.objects.filter(pk=run.pk)
    rows.update(pause_requested=True)
    if run.state == RunState.QUEUED:
        rows.update(state=RunState.WAITING, waits_for=Wait.PAUSE, waits_on=None, wake_at=F("deadline"))
        tell(run, "run.waiting", {"waits_for": Wait.PAUSE.value})
    else:
        tell(run, "run.pausing", {})


@transaction.atomic
def resume_run(*, actor: Actor, run: Run) -> None:
    """Let a paused run and all below it go on: it looks at its journal anew, so that it sees what came meanwhile.

    Raises ConflictError.
    """
    refuse_agent(actor)
    found = _locked(run)
    if not found.pause_requested:
        raise ConflictError("This run is not paused.")
    paused = [one for one in _with_all_below(found) if one.pause_requested]
    ready = [one.id for one in paused if _let_go(one)]
    record(_said(actor, "run.resume", found, "", {"runs": len(paused)}))
    transaction.on_commit(lambda: ring(*ready), robust=True)


def _let_go(run: Run) -> bool:
    """Whether it is ready for a worker: one that still waits for something else is not."""
    rows = Run.objects.filter(pk=run.pk)
    rows.update(pause_requested=False)
    tell(run, "run.unpaused", {})
    if run.state == RunState.WAITING and run.waits_for == Wait.PAUSE:
        rows.update(state=RunState.QUEUED, waits_for="", waits_on=None, wake_at=None, rung_at=Now())
        return True
    return False


@transaction.atomic
def fork_run(
    *, actor: Actor, run: Run, step: int, input: str | dict[str, Any] | None = None,  # noqa: A002 - the field's word
    version: AgentVersion | None = None,
) -> Run:  # fmt: skip
    """Another run that shares a run's journal up to and with `step`, and goes on from there by itself.

    Nothing of what is shared is done or paid again; all that follows is. The new run acts for whomever the former
    acted for, and for who forks it. Step 0 is the beginning: only there another `input` may be given. Raises
    InvalidError, ConflictError, RefusedError.
    """
    refuse_agent(actor)
    if version is not None:
        require_version(actor, run, version)
    journal = whole_journal(run)
    if not 0 <= step <= len(journal):
        raise InvalidError(f"This run has {len(journal)} steps: fork from one of them, or from 0.", field="step")
    _refuse_unfinished(journal[:step], "forked")
    if over := next((one.number for one in journal[:step] if _hands_over(one)), 0):
        raise ConflictError(f"At step {over} another agent took over: fork its run, or this one from an earlier step.")
    own = str(actor.principal)
    chain = run.chain if actor.principal is None or own in run.chain else [*run.chain, own]
    made = make_run(
        run, journal[:step], relation=Relation.FORK, step=step, version=version or run.version, input=input,
        chain=chain, requester=actor.principal, source="fork", title=f"fork from step {step}",
    )  # fmt: skip
    copy_steps(actor, run, made, journal[:step])
    return _started(actor, made, "run.fork", {"former": str(run.id), "step": step, "version": made.version.number})


@transaction.atomic
def retry_run(*, actor: Actor, run: Run, step: int, reason: str = "") -> Run:
    """Try a run that ended without success once more from `step` on: a fork just before it, with the same version.

    It acts for the same people, in the name of the one who asked for it first. It is refused where it would do again
    what was, or may have been, done. Raises InvalidError, ConflictError.
    """
    refuse_agent(actor)
    if run.state not in ENDED or run.state == RunState.SUCCEEDED:
        raise ConflictError("Only a run that failed, was cancelled or expired is retried: fork it instead.")
    if run.relation == Relation.REPLAY:
        raise ConflictError("A replay did nothing that could be retried: replay the former run once more.")
    # Two who press at once must not have it done twice: the second one waits here, and sees the first one's run.
    Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if (later := Run.objects.filter(former=run, source=_RETRY).first()) is not None:
        raise ConflictError(f"This run was retried already: go on with run {later.id}.")
    journal = whole_journal(run)
    if not 1 <= step <= len(journal) + 1:
        raise InvalidError(f"Retry from a step between 1 and {len(journal) + 1}.", field="step")
    _refuse_unfinished(journal[: step - 1], "retried")
    refuse_done(run, step)
    made = make_run(
        run, journal[: step - 1], relation=Relation.FORK, step=step - 1, version=run.version, input=None,
        chain=run.chain, requester=run.requester_id, source=_RETRY, title=f"retry from step {step}",
    )  # fmt: skip
    copy_steps(actor, run, made, journal[: step - 1])
    return _started(actor, made, "run.retry", {"former": str(run.id), "step": step}, reason)


@transaction.atomic
def replay_run(*, actor: Actor, run: Run, version: AgentVersion | None = None) -> Run:
    """Let a run that has ended happen once more, with its recorded outputs in the place of all that it called.

    Without a version its model's answers are played too, and nothing is paid. With one, that version's model is
    really called, and paid; tools, people and children still answer as recorded. Every act is judged as it would be
    today. Raises InvalidError, ConflictError, RefusedError.
    """
    refuse_agent(actor)
    if version is not None:
        require_version(actor, run, version)
    if run.state not in ENDED:
        raise ConflictError("This run has not ended: only a run that has is replayed.")
    journal = whole_journal(run)
    if not journal:
        raise ConflictError("This run has no steps: there is nothing to replay.")
    made = make_run(
        run, journal[:0], relation=Relation.REPLAY, step=len(journal) if version is None else 0,
        version=version or run.version, input=None, chain=run.chain, requester=run.requester_id, source="replay",
        title="replay" if version is None else f"replay with version {version.number}",
    )  # fmt: skip
    return _started(actor, made, "run.replay", {"former": str(run.id), "version": made.version.number})


def _started(actor: Actor, made: Run, action: str, details: dict[str, Any], reason: str = "") -> Run:
    record(_said(actor, action, made, reason, details))
    transaction.on_commit(lambda: ring(made.id), robust=True)
    return made


def _said(actor: Actor, action: str, run: Run, reason: str, details: dict[str, Any]) -> Any:
    return entry(actor, action, target_kind="run", target_id=run.id, target_name=run.title, run=run.id, reason=reason,
                 details=details)  # fmt: skip


def _locked(run: Run) -> Run:
    found = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if found.state in ENDED:
        raise ConflictError(f"This run has already ended: it is {found.get_state_display().lower()}.")
    return found


def _with_all_below(run: Run) -> Iterator[Run]:
    """A locked run, then those below it that have not ended, level by level, each locked before its own are sought.

    A worker that is just about to make a child is waited for at its own row: the child is then seen.
    """
    level = [run]
    while level:
        yield from level
        rows = Run.objects.select_for_update(of=("self",)).filter(parent_id__in=[one.id for one in level])
        level = list(rows.exclude(state__in=ENDED).order_by("id"))


def _refuse_unfinished(shared: list[Step], verb: str) -> None:
    for step in shared:
        if step.state in _OPEN:
            raise ConflictError(f"Step {step.number} has not ended: a run is {verb} only from behind a step that has.")
        if step.state == StepState.UNKNOWN:
            raise ConflictError(
                f"Nobody knows what step {step.number} ({step.name}) did: say so first, or choose a step before it."
            )


def _hands_over(step: Step) -> bool:
    return step.name == HAND_OVER and step.state == StepState.SUCCEEDED
