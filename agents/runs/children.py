"""Runs made by runs: beginning one, taking its answer, waking the parent, cancelling what is below."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from agents.gate import Action, Cursor
from agents.runs.claims import wake
from agents.runs.journal import ENGINE, StepOutcome, StepRow
from agents.runs.models import ENDED, Event, Run, RunState, Session, Step, StepState
from agents.runs.work import Work
from foundation.audit.record import entry, record
from foundation.ids import uuid7


def create_child(cursor: Cursor, work: Work, step: StepRow, action: Action) -> UUID:
    """A run of the delegate, with the parent's label on its input, and never more money or time than the parent."""
    agent = work.delegates[action.target]
    version = agent.serving
    if version is None:
        message = f"{agent.slug} serves no version"
        raise ValueError(message)
    run, identifier = work.run, uuid7()
    label = work.label.as_json()
    session = Session.objects.using(ENGINE).create(
        organisation_id=run.organisation_id, agent=agent, version=version, target_id=agent.target_id,
        counterpart=work.agent.name, label=label,
    )  # fmt: skip
    task = str(step.input.get("task", ""))
    Run.objects.using(ENGINE).create(
        id=identifier, organisation_id=run.organisation_id, session=session, agent=agent, version=version,
        target_id=agent.target_id, parent=run, root_id=run.root_id, depth=run.depth + 1,
        requester_id=run.requester_id, chain=[str(work.agent.principal_id), *run.chain],
        title=f"{run.title} · {agent.name}"[:200], source="delegation", input=task, input_label=label,
        deadline=min(run.deadline, datetime.now(UTC) + timedelta(seconds=version.max_seconds)),
        budget=min(version.run_budget, run.budget), currency=run.currency, events_written=1,
    )  # fmt: skip
    Event.objects.using(ENGINE).create(run_id=identifier, number=1, organisation_id=run.organisation_id,
                                       kind="run.queued", data={})  # fmt: skip
    record(
        entry(work.actor, "run.delegate", target_kind="run", target_id=identifier, target_name=agent.name,
              step=step.number, details={"digest": action.digest}),
        cursor=cursor,
    )  # fmt: skip
    return identifier


def child_outcome(step: Step) -> StepOutcome | None:
    """What the child answered, or None while it has not ended."""
    child = (
        Run.objects.using(ENGINE)
        .select_related("session")
        .filter(parent_id=step.run_id, id__in=[step.child_id])
        .first()
    )
    if child is None or child.state not in ENDED:
        return None
    if child.state == RunState.SUCCEEDED:
        return StepOutcome(
            number=step.number, state=StepState.SUCCEEDED, output=child.output, label=child.session.label,
        )  # fmt: skip
    return StepOutcome(
        number=step.number, state=StepState.FAILED, error=f"The delegated run is {child.state}. {child.failure}",
        label=child.session.label,
    )  # fmt: skip


def wake_above(cursor: Cursor, run: UUID) -> list[UUID]:
    """Make the parent of a run ready if it waits for it; its bell is to be rung."""
    cursor.execute("SELECT parent_id FROM runs_run WHERE id = %s AND parent_id IS NOT NULL", (run,))
    row = cursor.fetchone()
    return [row[0]] if row and wake(cursor, row[0], run) else []


def cancel_below(cursor: Cursor, run: UUID) -> list[UUID]:
    """Tell the runs below that they are not needed any more; they end by themselves, with their own record."""
    cursor.execute(
        "UPDATE runs_run SET cancel_requested = true, "
        "state = CASE WHEN state = 'waiting' THEN 'queued' ELSE state END, waits_for = '', waits_on = NULL, "
        "wake_at = NULL, rung_at = clock_timestamp() "
        "WHERE parent_id = %s AND state IN ('queued', 'running', 'waiting') RETURNING id",
        (run,),
    )
    return [row[0] for row in cursor.fetchall()]


def wake_if_ended(cursor: Cursor, run: UUID, child: UUID | None) -> list[UUID]:
    """Make a run ready that has just begun to wait for a child that ended meanwhile; its bell is to be rung."""
    cursor.execute(
        "SELECT id FROM runs_run WHERE id = %s AND state IN ('succeeded', 'failed', 'cancelled', 'expired')", (child,)
    )
    row = cursor.fetchone()
    return [run] if row and wake(cursor, run, row[0]) else []
