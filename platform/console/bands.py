"""What a run and those below it wait for, in words, and what a person can do about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from agents.runs.bodies import Reading
from agents.runs.builtins.events import address_of
from agents.runs.models import (
    ENDED,
    Callback,
    InputRequest,
    InputState,
    Run,
    RunState,
    Step,
    StepKind,
    StepState,
    Wait,
)  # fmt: skip
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.web.components.quantities import money, written
from governance.budgets.models import Budget

MOST_ADDRESSES = 5
# What a run below the page's own waits for people for, where it does not stand on this page itself.
PEOPLE = {
    Wait.APPROVAL: ("It waits for an approval", "It goes on when people have decided on its act."),
    Wait.PERSON: ("Nobody knows whether a call happened", "It goes on when somebody has said what happened."),
    Wait.PAUSE: ("It is paused", "It goes on when somebody has resumed it."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One wait. `words` are the agent's own; `verb` leads to `address`, or is a form sent there if `is_form`.

    `then` says what happens when `until` has passed. `copied` is an address for whoever is waited for.
    """

    key: str
    title: str
    tone: str = "quiet"
    words: Any = ""
    text: str = ""
    asked: datetime | None = None
    until: datetime | None = None
    then: str = ""
    verb: str = ""
    address: str = ""
    is_form: bool = False
    copied: str = ""


def bands_of(actor: Actor, runs: Iterable[Run], page: Run, readings: Mapping[UUID, Reading]) -> list[Band]:
    """The waits of these runs, `page` among them; its own for approval and for a person's word stand elsewhere.

    `readings` say of each run what the actor reads of it.
    """
    going = [run for run in runs if run.state not in ENDED]
    waiting = [run for run in going if run.state == RunState.WAITING]
    on = {run.waits_on for run in waiting if run.waits_on}
    found = [*_questions(actor, waiting, on, readings), *_callbacks(actor, going, on, page)]
    found += [*_budgets(actor, waiting, on, page), *_moments(waiting, page), *_people(waiting, page), *_pauses(page)]
    found += _hidden(waiting, {run.id for run in going}, page)
    if not found and page.state == RunState.WAITING and page.waits_for == Wait.CHILD:
        found.append(
            Band(
                key="waiting.child",
                title="Work that it gave away has not ended",
                text="It goes on by itself when those below have answered.",
            )
        )
    return found


def _hidden(waiting: list[Run], shown: set[UUID], page: Run) -> Iterator[Band]:
    """Those that wait for a run below them which the actor may not see, and which may wait for people."""
    above = {run.id: run for run in waiting if run.waits_for == Wait.CHILD}
    if not above:
        return
    awaited = Step.objects.filter(run_id__in=above, kind=StepKind.DELEGATION, state=StepState.WAITING)
    hidden = Run.objects.filter(id__in=awaited.values("child_id")).exclude(state__in=ENDED).exclude(id__in=shown)
    for run in sorted(set(hidden.values_list("parent_id", flat=True))):
        yield Band(
            key="waiting.child", title=_of(above[run], page, "It waits for a run that you may not see"),
            text="What that one waits for, if anything, is told to those who may see it.",
        )  # fmt: skip


def _questions(actor: Actor, waiting: list[Run], on: set[UUID], readings: Mapping[UUID, Reading]) -> Iterator[Band]:
    if not any(run.waits_for == Wait.INPUT for run in waiting):
        return
    rows = InputRequest.objects.all().permitted(actor, Permission.RUN_VIEW)
    for one in rows.filter(id__in=on, state=InputState.OPEN).select_related("run__agent").order_by("expires_at"):
        yield Band(
            key="waiting.input", tone="wait", title=f"{one.run.agent.name} asks a person",
            words=readings[one.run_id].asked(one.question),
            asked=one.created_at, until=one.expires_at, then="then it goes on without", verb="Answer",
            address=f"/questions/{one.id}/",
        )  # fmt: skip


def _callbacks(actor: Actor, going: list[Run], on: set[UUID], page: Run) -> Iterator[Band]:
    """Also those that are open before a run waits for them: whoever is to call needs what signs the call by then."""
    if not going:
        return
    rows = Callback.objects.all().permitted(actor, Permission.RUN_VIEW).select_related("run__agent")
    still = rows.filter(run_id__in=[run.id for run in going], received_at=None, expires_at__gt=Now())
    for one in still.order_by("expires_at")[:MOST_ADDRESSES]:
        is_awaited = one.id in on
        text = "It goes on when this address is called once, with the signature that its holder was given."
        yield Band(
            key="waiting.event",
            title=_of(one.run, page, f"{'An event from outside' if is_awaited else 'An address is open'}: {one.name}"),
            text=text if is_awaited else "It may be called once, with the signature that its holder was given.",
            asked=one.created_at, until=one.expires_at, then="then it goes on without" if is_awaited else "then closed",
            copied=address_of(one), verb="Show what signs it", address=f"/callbacks/{one.id}/secret/", is_form=True,
        )  # fmt: skip


def _budgets(actor: Actor, waiting: list[Run], on: set[UUID], page: Run) -> Iterator[Band]:
    short = [run for run in waiting if run.waits_for == Wait.BUDGET]
    if not short:
        return
    rows = Budget.objects.all().permitted(actor, Permission.BUDGET_VIEW).filter(scope_id__in=on)
    budgets = _tightest(rows.select_related("target").order_by("starts_at"))
    for run in short:
        budget = budgets.get(run.waits_on) if run.waits_on else None
        text = "It goes on when somebody raises the budget, or when its next month begins."
        if budget is not None:
            spent = (
                f"{money(budget.settled + budget.reserved, budget.currency)} of {money(budget.limit, budget.currency)}"
            )
            text = f"{budget.target.name} has spent or held {spent}. {text}"
        yield Band(
            key="waiting.budget", tone="warn", title=_of(run, page, "Not enough money is left"), text=text,
            until=run.wake_at, then="then it looks again", verb="Budgets", address="/costs/",
        )  # fmt: skip


def _tightest(rows: Iterable[Budget]) -> dict[UUID, Budget]:
    """Of each scope the budget with the least left: its total, or that of its newest month, which comes last."""
    newest = {(row.scope_id, row.period): row for row in rows}
    by_what_is_left = sorted(newest.values(), key=lambda row: row.settled + row.reserved + row.overrun - row.limit)
    return {row.scope_id: row for row in by_what_is_left}


def _moments(waiting: list[Run], page: Run) -> Iterator[Band]:
    for run in waiting:
        if run.waits_for == Wait.TIMER:
            yield Band(key="waiting.timer", title=_of(run, page, "It waits for a moment"), until=run.wake_at,
                       text=f"It goes on by itself{_at(run)}. Meanwhile it costs nothing.")  # fmt: skip
        elif run.waits_for == Wait.CAPACITY:
            yield Band(key="waiting.capacity", title=_of(run, page, "The model is busy"), until=run.wake_at,
                       text="It said so itself, or its lane is full. It is tried again.")  # fmt: skip


def _at(run: Run) -> str:
    return f" on {written(run.wake_at)}" if run.wake_at else ""


def _people(waiting: list[Run], page: Run) -> Iterator[Band]:
    for run in waiting:
        if run.id == page.id or run.waits_for not in PEOPLE or (run.waits_for == Wait.PAUSE and page.pause_requested):
            continue
        title, text = PEOPLE[Wait(run.waits_for)]
        yield Band(key=f"waiting.{run.waits_for}", title=_of(run, page, title), text=text, verb="Open its run",
                   address=f"/runs/{run.id}/")  # fmt: skip


def _pauses(page: Run) -> Iterator[Band]:
    """Only that of the page's own run can be ended here: it covers those below."""
    if page.pause_requested:
        held = page.state == RunState.WAITING and page.waits_for == Wait.PAUSE
        text = "It and all below it stay as they are until somebody resumes it. Its time runs on."
        title = "It is paused" if held else "It pauses before its next act"
        yield Band(key="waiting.pause", title=title, text=text, until=page.deadline, then="then it expires",
                   verb="Resume", address=f"/runs/{page.id}/resume/", is_form=True)  # fmt: skip


def _of(run: Run, page: Run, title: str) -> str:
    """The sentence, with the agent's name where it is not the page's own run."""
    return title if run.id == page.id else f"{run.agent.name}: {title[0].lower()}{title[1:]}"
