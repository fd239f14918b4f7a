"""The limits of a run: steps and tokens. The engine knows its time, the gate its money, delegations their depth."""

from datetime import UTC, datetime

from agents.runs.models import Step, StepKind, StepState
from agents.runs.moves import AskModel, DoCall, Move
from agents.runs.window import bound_of
from agents.runs.work import Work


def beyond_limit(work: Work, move: Move) -> str:
    """Why a run may not make a move, naming its limit; empty if it may."""
    if not isinstance(move, AskModel | DoCall) or move.wait is not None:
        return ""
    most = work.version.max_steps
    if len(work.steps) >= most and sum(map(_counts, work.steps)) >= most:
        return f"The run reached its limit of {most} steps."
    most_tokens = work.run.max_tokens
    if most_tokens and isinstance(move, AskModel):
        told, estimated = sum(map(_tokens, work.steps)), sum(map(_estimated, work.steps))
        if told + estimated >= most_tokens:
            why = f"The run reached its limit of {most_tokens:,} tokens: it has used {told + estimated:,}"
            return f"{why}, {estimated:,} of them by estimate: the endpoint did not say." if estimated else f"{why}."
    return ""


def next_month(now: datetime) -> datetime:
    """When the next month begins, in UTC: monthly budgets begin anew."""
    here = now.astimezone(UTC)
    return datetime(here.year + here.month // 12, here.month % 12 + 1, 1, tzinfo=UTC)


def _counts(step: Step) -> bool:
    return "busy" not in step.usage and not _is_copied(step)


def _tokens(step: Step) -> int:
    return 0 if _is_copied(step) else (step.usage.get("input_tokens") or 0) + (step.usage.get("output_tokens") or 0)


def _estimated(step: Step) -> int:
    """The most tokens that an answer may have cost whose endpoint does not say: as the context is counted, by bytes."""
    if step.kind != StepKind.MODEL_CALL or step.state != StepState.SUCCEEDED or _is_copied(step):
        return 0
    sent = step.input.get("counted", 0) if step.usage.get("input_tokens") is None else 0
    return sent + (bound_of(step.output) if step.usage.get("output_tokens") is None else 0)


def _is_copied(step: Step) -> bool:
    """Whether it was another run's, which a fork shares: there it counted."""
    return "copied" in step.usage
