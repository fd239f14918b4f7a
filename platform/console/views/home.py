"""The first page: what needs me, what fails, what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count, F, Max, Min, Q, Sum
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.catalogue.models import Provider
from agents.registry.models import Agent
from agents.runs.inbox import questions
from agents.runs.models import Run, RunState, Wait
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.web.components.charts import Bar
from foundation.web.pages import Page
from governance.approvals.models import ApprovalRequest, ApprovalState
from governance.approvals.queue import queue
from governance.budgets.models import Budget, BudgetScope
from governance.policies.models import PolicyDecision

HOURS = 24
IN_FLIGHT = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)
ON_PEOPLE = (Wait.APPROVAL, Wait.INPUT, Wait.PERSON)
BAD = (RunState.FAILED, RunState.EXPIRED)


@dataclass(frozen=True, slots=True)
class Failing:
    """Runs of one agent that failed for one reason."""

    agent: Agent
    failure: str
    runs: int
    first: datetime
    last: datetime


class Home(Page):
    """The same page for all roles."""

    permission = Permission.ORGANISATION_VIEW
    place = "home"
    template = "console/home.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """Everything that concerns the actor now."""
        since = timezone.now() - timedelta(hours=HOURS)
        runs = Run.objects.all().permitted(self.actor, Permission.RUN_VIEW)
        recent = runs.filter(created_at__gte=since)
        by_hour = _hours(recent)
        return self.render(
            {
                "queue": queue(self.actor)[:6],
                "questions": questions(self.actor)[:4],
                "figures": _figures(self.actor, runs, since),
                "bars": by_hour,
                "finding": _finding(by_hour),
                "failing": _failing(recent),
                "spend": _spend(self.actor, runs),
                "rehearsing": Provider.objects.filter(rehearsal=True, enabled=True).exists(),
                "latest": list(runs.listed().filter(parent=None).order_by("-id")[:6]),
            }
        )


def _figures(actor: Actor, runs: PermittedQuerySet[Run], since: datetime) -> dict[str, Any]:
    counted = runs.aggregate(
        in_flight=Count("id", filter=Q(state__in=IN_FLIGHT)),
        waiting=Count("id", filter=Q(state=RunState.WAITING, waits_for__in=ON_PEOPLE)),
        ended=Count("id", filter=Q(created_at__gte=since, ended_at__isnull=False)),
        succeeded=Count("id", filter=Q(created_at__gte=since, state=RunState.SUCCEEDED)),
    )
    requests = ApprovalRequest.objects.all().permitted(actor, Permission.APPROVAL_VIEW)
    decided = requests.filter(
        decided_at__gte=since, state__in=[ApprovalState.APPROVED, ApprovalState.CONSUMED, "denied"]
    )
    decisions = PolicyDecision.objects.all().permitted(actor, Permission.POLICY_VIEW).filter(at__gte=since)
    stopped = decisions.aggregate(
        asked=Count("id", filter=Q(effect="ask")), denied=Count("id", filter=Q(effect="deny"))
    )
    share = f"{counted['succeeded'] / counted['ended']:.1%}" if counted["ended"] else "—"
    wait = decided.aggregate(wait=Avg(F("decided_at") - F("created_at")))["wait"]
    return {
        **counted,
        "stopped": stopped["asked"] + stopped["denied"],
        "success": share,
        "wait": wait,
        "note": f"{stopped['asked']} asked · {stopped['denied']} denied",
        "waiting_note": f"{counted['waiting']} waiting on a person",
        "ended_note": f"of {counted['ended']} that ended",
    }


def _hours(recent: PermittedQuerySet[Run]) -> list[Bar]:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    rows = recent.annotate(hour=TruncHour("created_at")).values("hour", "state").annotate(runs=Count("id"))
    found = {(row["hour"], row["state"]): row["runs"] for row in rows.order_by()}
    bars = []
    for back in range(HOURS - 1, -1, -1):
        hour = now - timedelta(hours=back)
        counts = {state: found.get((hour, state), 0) for state in RunState.values}
        bad = sum(counts[state] for state in BAD)
        waiting = counts[RunState.WAITING]
        usual = sum(counts.values()) - bad - waiting
        bars.append(
            Bar(
                f"{hour:%a %H}:00",
                [("quiet", "succeeded", usual), ("wait", "waiting", waiting), ("bad", "failed", bad)],
            )
        )
    return bars


def _finding(bars: Sequence[Bar]) -> str:
    totals = [sum(bar.parts[part][2] for bar in bars) for part in range(3)]
    return f"Runs of the last 24 hours by hour: {sum(totals)} in all, {totals[1]} waiting, {totals[2]} failed."


def _failing(recent: PermittedQuerySet[Run]) -> list[Failing]:
    rows = (
        recent.filter(state__in=BAD)
        .values("agent_id", "failure")
        .annotate(runs=Count("id"), first=Min("ended_at"), last=Max("ended_at"))
        .order_by("-last")[:4]
    )
    groups = list(rows)
    agents = Agent.objects.in_bulk([row["agent_id"] for row in groups])
    return [
        Failing(
            agents[row["agent_id"]], row["failure"] or "Ended without a reason", row["runs"], row["first"], row["last"]
        )
        for row in groups
    ]


def _spend(actor: Actor, runs: PermittedQuerySet[Run]) -> dict[str, Any]:
    """What this month cost, by agent, beside the organisation's budget."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = runs.filter(created_at__gte=month).values("agent_id").annotate(cost=Sum("cost")).order_by("-cost")[:5]
    by_agent: dict[UUID, int] = {row["agent_id"]: row["cost"] for row in rows if row["cost"]}
    agents = Agent.objects.in_bulk(list(by_agent))
    budgets = Budget.objects.all().permitted(actor, Permission.BUDGET_VIEW)
    budget = budgets.filter(scope=BudgetScope.ORGANISATION).order_by("-starts_at").first()
    top = max(by_agent.values(), default=0)
    return {
        "budget": budget,
        "total": budget.settled + budget.overrun if budget else sum(by_agent.values()),
        "agents": [(agents[key], cost) for key, cost in by_agent.items()],
        "top": top,
    }
