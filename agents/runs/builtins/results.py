"""What a built-in came to, put into the journal: in the transaction in which it did it."""

from agents.runs.builtins.port import Done, Over, Result, Waiting
from agents.runs.claims import Change
from agents.runs.journal import StepOutcome, StepRow, recorded_reason
from agents.runs.models import RunState, Step, StepState
from agents.runs.work import Work
from agents.runs.writer import Entries
from foundation.audit.record import entry, record
from foundation.batches import Cursor


def begun(work: Work, step: StepRow, result: Result, entries: Entries) -> Change:
    """The new step holds what it came to; the change of its run."""
    if isinstance(result, Waiting):
        step.state, step.output = StepState.WAITING, result.output
        return _wait(result)
    entries.afterwards(lambda cursor: _tell(cursor, work, step))
    if isinstance(result, Over):
        step.state, step.output = StepState.SUCCEEDED, result.output
        return Change(state=result.state, output=dict(result.output))
    step.state, step.output, step.error = result.state, result.output, result.error
    step.label = _label(work, step.label, result)
    return Change()


def looked(work: Work, step: Step, result: Done | Waiting, entries: Entries) -> None:
    """A waiting step waits on, or has its outcome."""
    if isinstance(result, Waiting):
        entries.change = _wait(result)
        return
    label = _label(work, step.label, result)
    outcome = StepOutcome(number=step.number, state=result.state, output=result.output, error=result.error, label=label)
    entries.outcomes.append((outcome, 0))


def _wait(result: Waiting) -> Change:
    return Change(state=RunState.WAITING, waits_for=result.waits_for, waits_on=result.waits_on, wake_at=result.until)


def _label(work: Work, former: object, result: Done) -> dict[str, object]:
    if result.label is None:
        return dict(former) if isinstance(former, dict) else work.label.as_json()
    work.label = work.label.join(result.label)
    return result.label.as_json()


def _tell(cursor: Cursor, work: Work, step: StepRow) -> None:
    good = step.state is StepState.SUCCEEDED
    record(
        entry(
            work.actor, f"{step.kind}.{step.state}", target_kind=step.kind, target_name=step.name,
            outcome="ok" if good else "failed", step=step.number,
            reason=recorded_reason(step.kind, step.state, step.error),
            details={"key": step.idempotency_key, "digest": step.digest, "attempt": step.attempt},
        ),
        cursor=cursor,
    )  # fmt: skip
