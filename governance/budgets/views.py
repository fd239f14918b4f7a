"""Costs: what was spent, by agent and by team, beside the budgets."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django import forms
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDay
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.runs.models import Run
from foundation.access.roles import Permission
from foundation.web.components.charts import Bar
from foundation.web.components.controls import Choice
from foundation.web.components.quantities import MICRO
from foundation.web.forms import FormPage
from foundation.web.pages import Page
from foundation.web.targets import covered_targets
from governance.budgets.forms import BudgetForm
from governance.budgets.models import Budget, BudgetPeriod, BudgetScope
from governance.budgets.services import set_budget

RANGES = {"": ("7 days", 7), "30d": ("30 days", 30), "90d": ("90 days", 90)}
GROUPS = {
    "": ("Agent", "agent__name"),
    "team": ("Team", "agent__team__name"),
    "model": ("Model", "version__language_model__name"),
}


class Line(NamedTuple):
    """One row of the costs."""

    name: str
    runs: int
    tokens: int
    cost: int


class Costs(Page):
    """`?range=` 30d or 90d; `?group=` team or model."""

    permission = Permission.BUDGET_VIEW
    place = "costs"
    template = "governance/costs.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Spend by day and by group, and every budget."""
        days = RANGES.get(request.GET.get("range", ""), RANGES[""])[1]
        label, field = GROUPS.get(request.GET.get("group", ""), GROUPS[""])
        now = timezone.now()
        runs = (
            Run.objects.all()
            .permitted(self.actor, Permission.RUN_VIEW)
            .filter(created_at__gte=now - timedelta(days=days))
        )
        lines = _lines(runs, field)
        return self.render(
            {
                "currency": self.organisation.currency,
                "lines": lines,
                "label": label,
                "total": sum(line.cost for line in lines),
                "bars": _days(runs, days, now),
                "budgets": self._budgets(now),
                "ranges": [Choice(key, name) for key, (name, _) in RANGES.items()],
                "groups": [Choice(key, f"By {name.lower()}") for key, (name, _) in GROUPS.items()],
                "why_not": self.why_not(Permission.BUDGET_MANAGE),
            }
        )

    def _budgets(self, now: datetime) -> list[Budget]:
        """Those in force; a run's own are on its page."""
        month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        rows = self.permitted(Budget.objects.select_related("target")).exclude(scope=BudgetScope.RUN)
        current = Q(period=BudgetPeriod.TOTAL) | Q(starts_at=month)
        order = list(BudgetScope.values)
        return sorted(rows.filter(current), key=lambda one: (order.index(one.scope), one.target.name))


def _lines(runs: QuerySet[Run], field: str) -> list[Line]:
    rows = (
        runs.order_by()
        .values(field)
        .annotate(runs=Count("id"), used=Sum("input_tokens") + Sum("output_tokens"), spent=Sum("cost"))
    )
    return [Line(row[field], row["runs"], row["used"], row["spent"]) for row in rows.order_by("-spent")[:50]]


def _days(runs: QuerySet[Run], days: int, now: datetime) -> list[Bar]:
    """Cost by day, in thousandths of a unit so that small sums show."""
    rows = runs.order_by().annotate(day=TruncDay("created_at")).values("day").annotate(spent=Sum("cost"))
    spent = {row["day"].date(): row["spent"] for row in rows}
    dates = [(now - timedelta(days=back)).date() for back in range(days - 1, -1, -1)]
    return [Bar(f"{day:%d %b}", [("model", "thousandths", round((spent.get(day) or 0) / 1000))]) for day in dates]


class SetBudget(FormPage):
    """A ceiling. `?for=` is chosen already."""

    permission = Permission.BUDGET_MANAGE
    place = "costs"
    template = "governance/budget.html"
    form = BudgetForm

    def load(self, **address: Any) -> None:  # noqa: ARG002 - the base's signature
        """What a budget can be set for, and the money."""
        self._targets = {str(row.id): row for row in covered_targets(self.actor, self.named)}
        self._currency = self.organisation.currency

    def context(self) -> Mapping[str, Any]:
        """The currency."""
        return {"currency": self._currency}

    def initial(self) -> dict[str, Any]:
        """As the address says."""
        return {"target": self.request.GET.get("for", "")}

    def make(self, data: Any = None) -> forms.Form:
        """With the targets."""
        form = super().make(data)
        choices = [(key, f"{row.name} ({row.kind})") for key, row in self._targets.items()]
        form.fields["target"] = forms.ChoiceField(label="For", choices=choices)
        return form

    def done(self, values: Mapping[str, Any]) -> str:
        """To the costs."""
        target = self._targets[values["target"]]
        set_budget(
            actor=self.actor,
            scope=target.kind,
            scope_id=target.id,
            target=target,
            limit=int(values["limit"] * MICRO),
            currency=self._currency,
            period=values["period"],
        )
        self.say(f"The budget of {target.name} is set.")
        return "/costs/"
