"""Runs made by runs: beginning one, taking its answer, waking the parent, cancelling what is below."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F

from agents.gate import Action
from agents.registry.models import Agent, AgentVersion
from agents.runs.claims import wake
from agents.runs.clock import clock
from agents.runs.journal import ENGINE, StepOutcome, StepRow, release_connection
from agents.runs.models import ENDED, Event, Relation, Run, RunState, Session, Step, StepState
from agents.runs.work import Work
from foundation.audit.record import entry, record
from foundation.batches import Cursor
from foundation.ids import uuid7


def create_child(cursor: Cursor, work: Work, step: StepRow, action: Action) -> UUID:
    """A run of the delegate, with the parent's label on its input, and never more money or time than the parent."""
    agent, version = _serving(work, action.target)
    run, label = work.run, work.label.as_json()
    session = Session.objects.using(ENGINE).create(
        organisation_id=run.organisation_id, agent=agent, version=version, target_id=agent.target_id,
        counterpart=work.agent.name, label=label, turns=1,
    )  # fmt: skip
    identifier = _create(
        work, agent, version, session, parent=run, root_id=run.root_id, source="delegation",
        input=str(step.input.get("task", "")), title=f"{run.title} · {agent.name}"[:200],
    )  # fmt: skip
    _record(cursor, work, "run.delegate", identifier, agent, step)
    return identifier


def create_follower(cursor: Cursor, work: Work, step: StepRow, slug: str, note: str) -> UUID:
    """A run of another agent that takes the session over, with what this one had left of power, money and time."""
    agent, version = _serving(work, slug)
    run, session = work.run, work.session
    Session.objects.using(ENGINE).filter(pk=session.pk).update(
        agent=agent, version=version, target_id=agent.target_id, turns=F("turns") + 1
    )
    identifier = uuid7()
    _create(
        work, agent, version, session, id=identifier, root_id=identifier, former=run, relation=Relation.HANDOVER,
        former_step=step.number, source="hand-over", input=note, title=run.title,
    )  # fmt: skip
    _record(cursor, work, "run.hand_over", identifier, agent, step)
    return identifier


def _serving(work: Work, slug: str) -> tuple[Agent, AgentVersion]:
    agent = work.delegates[slug]
    if agent.serving is None:
        message = f"{slug} serves no version"
        raise ValueError(message)
    return agent, agent.serving


def _create(work: Work, agent: Agent, version: AgentVersion, session: Session, **given: Any) -> UUID:
    run = work.run
    limits = [limit for limit in (version.max_tokens, run.max_tokens) if limit]
    values: dict[str, Any] = {"id": uuid7(), "organisation_id": run.organisation_id, "session": session, "agent": agent}
    values |= {
        "version": version, "target_id": agent.target_id, "depth": run.depth + 1, "requester_id": run.requester_id,
        "delegation_id": run.delegation_id,
        "chain": [str(work.agent.principal_id), *run.chain], "input_label": work.label.as_json(),
        "deadline": min(run.deadline, clock.now() + timedelta(seconds=version.max_seconds)),
        "budget": min(version.run_budget, run.budget), "max_tokens": min(limits, default=0), "currency": run.currency,
        "events_written": 1,
    }  # fmt: skip
    created = Run.objects.using(ENGINE).create(**(values | given))
    Event.objects.using(ENGINE).create(
        run_id=created.id, number=1, organisation_id=run.organisation_id, kind="run.queued", data={}
    )
    return created.id


def _record(cursor: Cursor, work: Work, act: str, run: UUID, agent: Agent, step: StepRow) -> None:
    record(
        entry(work.actor, act, target_kind="run", target_id=run, target_name=agent.name, step=step.number,
              details={"digest": step.digest}),
        cursor=cursor,
    )  # fmt: skip


def outcomes_of(steps: Sequence[Step]) -> list[StepOutcome] | None:
    """What the awaited children answered, in the order of the calls; None while one of them has not ended."""
    outcomes = [child_outcome(step) for step in steps]
    release_connection()
    ended = [outcome for outcome in outcomes if outcome is not None]
    return ended if len(ended) == len(outcomes) else None


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


# Statements see what was committed before they began: so the row of the parent is locked by a statement of its own.
_STILL_AWAITED = """
SELECT 1 FROM runs_step s JOIN runs_run c ON c.id = s.child_id
WHERE s.run_id = %(parent)s AND s.kind = 'delegation' AND s.state = 'waiting'
    AND c.id IS DISTINCT FROM %(ended)s AND c.state IN ('queued', 'running', 'waiting') LIMIT 1
"""


def wake_above(cursor: Cursor, run: UUID) -> list[UUID]:
    """A run ends: make its parent ready if it was the last one that the parent waits for; its bell is to be rung.

    Of children that end at once, each waits for the parent's row: the second sees that the first has ended.
    """
    cursor.execute("SELECT parent_id FROM runs_run WHERE id = %s AND parent_id IS NOT NULL", (run,))
    row = cursor.fetchone()
    return wake_if_ended(cursor, row[0], run) if row else []


def wake_if_ended(cursor: Cursor, parent: UUID, ended: UUID | None = None) -> list[UUID]:
    """Make a run ready that waits for its children, if all have ended (`ended` counts as such)."""
    cursor.execute("SELECT id FROM runs_run WHERE id = %s FOR UPDATE", (parent,))
    cursor.execute(_STILL_AWAITED, {"parent": parent, "ended": ended})
    return [] if cursor.fetchone() else [parent] if wake(cursor, parent, parent) else []


def cancel_below(cursor: Cursor, run: UUID) -> list[UUID]:
    """Tell the runs below that they are not needed any more; they end by themselves, with their own record."""
    cursor.execute(
        "UPDATE runs_run SET cancel_requested = true, "
        "state = CASE WHEN state = 'waiting' THEN 'queued' ELSE state END, waits_for = '', waits_on = NULL, "
        "wake_at = NULL, rung_at = clock_timestamp() "
        "WHERE id IN (SELECT id FROM runs_run WHERE parent_id = %s AND state IN ('queued', 'running', 'waiting') "
        "ORDER BY id FOR UPDATE) RETURNING id",
        (run,),
    )
    return [row[0] for row in cursor.fetchall()]


def why_cancelled(run: UUID) -> str:
    """Why a run is cancelled, in a sentence: the run above it has ended, or somebody has said so."""
    above = Run.objects.using(ENGINE).filter(children=run, state__in=ENDED).only("state").first()
    release_connection()
    if above is None:
        return "Somebody cancelled the run; the record says who."
    return f"The run above it has ended ({above.get_state_display().lower()}): its work is not needed any more."


def void_waits(cursor: Cursor, run: UUID) -> None:
    """A run ends: nobody needs to answer its questions any more, and its addresses take no call."""
    cursor.execute("UPDATE runs_inputrequest SET state = 'void' WHERE run_id = %s AND state = 'open'", (run,))
    cursor.execute(
        "UPDATE runs_callback SET expires_at = clock_timestamp() "
        "WHERE run_id = %s AND received_at IS NULL AND expires_at > clock_timestamp()",
        (run,),
    )
