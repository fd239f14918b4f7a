"""The limits of a run: steps and tokens. The engine knows its time, the gate its money, delegations their depth."""

from datetime import UTC, datetime

from agents.runs.models import Step
from agents.runs.moves import AskModel, DoCall, Move
from agents.runs.tokens import Used, is_copied, used
from agents.runs.work import Work


def beyond_limit(work: Work, move: Move) -> str:
    """Why a run may not make a move, naming its limit; empty if it may."""
    if not isinstance(move, AskModel | DoCall) or move.wait is not None:
        return ""
    most = work.version.max_steps
    if len(work.steps) >= most and sum(map(_counts, work.steps)) >= most:
        return f"The run reached its limit of {most} steps."
    return next(filter(None, map(_beyond, used(work))), "") if isinstance(move, AskModel) else ""


def _beyond(one: Used) -> str:
    if one.tokens < one.limit:
        return ""
    whose = "The run" if one.is_own else "A run that it came of"
    family = "with all that came of it, it" if one.has_family else "it"
    why = f"{whose} reached its limit of {one.limit:,} tokens: {family} has used {one.tokens:,}"
    return f"{why}, {one.estimated:,} of them by estimate: the endpoint did not say." if one.estimated else f"{why}."


def next_month(now: datetime) -> datetime:
    """When the next month begins, in UTC: monthly budgets begin anew."""
    here = now.astimezone(UTC)
    return datetime(here.year + here.month // 12, here.month % 12 + 1, 1, tzinfo=UTC)


def _counts(step: Step) -> bool:
    return "busy" not in step.usage and not is_copied(step)
