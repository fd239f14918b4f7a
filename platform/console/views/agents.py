"""The agent's page: what it is, what it may do and really did, what it costs, who answers for it."""

from datetime import timedelta
from typing import Any

from django.db.models import Avg, Count, F, Max, Q
from django.db.models.functions import TruncDay
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.registry.changes import review_refusal
from agents.registry.models import Agent
from agents.registry.views import active_people
from agents.runs.models import Run, RunState
from agents.tools.builtins import BUILTIN_TOOLS
from agents.tools.models import Tool
from foundation.access.roles import Permission
from foundation.web.components.charts import Bar
from foundation.web.components.controls import Tab
from foundation.web.pages import Page
from governance.budgets.models import Budget, BudgetScope
from governance.policies.models import PolicyDecision

DAYS = 14


class AgentPage(Page):
    """One agent."""

    permission = Permission.AGENT_VIEW
    place = "agents"
    template = "console/agent.html"

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The page."""
        rows = Agent.objects.select_related("team", "sponsor", "submitted_by", "serving__language_model__provider")
        agent = self.found(rows, slug=slug)
        runs = Run.objects.all().permitted(self.actor, Permission.RUN_VIEW).filter(agent=agent)
        since = timezone.now() - timedelta(days=DAYS)
        versions = list(agent.versions.order_by("-number")[:4])
        return self.render(
            {
                "agent": agent,
                "versions_url": f"/agents/{agent.slug}/versions/",
                "tabs": tabs_of(agent, "overview"),
                "figures": _figures(runs.filter(created_at__gte=since)),
                "bars": _days(runs.filter(created_at__gte=since)),
                "tools": self._tools(agent, since),
                "runs": list(runs.listed().select_related("requester").order_by("-id")[:8]),
                "versions": list(zip(versions, [*versions[1:], None], strict=False)),
                "budget": self._budget(agent),
                "people": active_people(),
                "why_not_manage": self.why_not(Permission.AGENT_MANAGE, agent.target_id),
                "why_not_review": review_refusal(self.actor, agent),
                "is_ownerless": agent.state != "retired" and not (agent.sponsor and agent.sponsor.state == "active"),
                "why_not_run": self._why_not_run(agent),
            }
        )

    def _why_not_run(self, agent: Agent) -> str:
        if agent.state != "active":
            return f"It is {agent.get_state_display().lower()}: only an active agent starts runs."
        return self.why_not(Permission.RUN_START, agent.target_id)

    def _budget(self, agent: Agent) -> Budget | None:
        rows = Budget.objects.all().permitted(self.actor, Permission.BUDGET_VIEW)
        return rows.filter(scope=BudgetScope.AGENT, scope_id=agent.id).order_by("-starts_at").first()

    def _tools(self, agent: Agent, since: Any) -> list[tuple[Tool | None, str, bool, dict[str, Any]]]:
        """The tools of the serving version, whether they are built in, and what the gate said of its calls."""
        names = list(agent.serving.tools) if agent.serving else []
        tools = {tool.name: tool for tool in Tool.objects.filter(name__in=names)}
        decisions = PolicyDecision.objects.all().permitted(self.actor, Permission.POLICY_VIEW)
        counted = decisions.filter(target_id=agent.target_id, at__gte=since, name__in=names).order_by().values("name")
        used = counted.annotate(
            calls=Count("id"),
            asked=Count("id", filter=Q(effect="ask")),
            denied=Count("id", filter=Q(effect="deny")),
            last=Max("at"),
        )
        by_name: dict[str, dict[str, Any]] = {row["name"]: dict(row) for row in used}
        nothing: dict[str, Any] = {"calls": 0, "asked": 0, "denied": 0, "last": None}
        return [(tools.get(name), name, name in BUILTIN_TOOLS, by_name.get(name, nothing)) for name in names]


def tabs_of(agent: Agent, current: str) -> list[Tab]:
    """The pages about an agent."""
    base = f"/agents/{agent.slug}/"
    pages = (
        ("overview", "Overview", base),
        ("versions", "Versions", f"{base}versions/"),
        ("runs", "Runs", f"/runs/?agent={agent.slug}"),
        ("sessions", "Sessions", f"/sessions/?agent={agent.slug}"),
        ("schedules", "Schedules", f"/schedules/?agent={agent.slug}"),
        ("approvals", "Approvals", f"/approvals/?agent={agent.slug}"),
        ("audit", "Audit", f"/audit/?q={agent.name}&range=all"),
    )
    return [Tab(url, label, None, name == current) for name, label, url in pages]


def _figures(runs: Any) -> dict[str, Any]:
    found: dict[str, Any] = runs.aggregate(
        runs=Count("id"),
        ended=Count("id", filter=Q(ended_at__isnull=False)),
        succeeded=Count("id", filter=Q(state=RunState.SUCCEEDED)),
        length=Avg(F("ended_at") - F("started_at")),
        cost=Avg("cost"),
    )
    found["success"] = f"{found['succeeded'] / found['ended']:.1%}" if found["ended"] else "—"
    found["cost"] = round(found["cost"]) if found["cost"] is not None else None
    return found


def _days(runs: Any) -> list[Bar]:
    rows = runs.order_by().annotate(day=TruncDay("created_at")).values("day", "state").annotate(runs=Count("id"))
    found: dict[Any, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["day"].date(), {})[row["state"]] = row["runs"]
    today = timezone.now().date()
    bars = []
    for back in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=back)
        counts = found.get(day, {})
        bad = counts.get("failed", 0) + counts.get("expired", 0)
        waiting = counts.get("waiting", 0)
        usual = sum(counts.values()) - bad - waiting
        bars.append(
            Bar(f"{day:%d %b}", [("quiet", "usual", usual), ("wait", "waiting", waiting), ("bad", "failed", bad)])
        )
    return bars
