"""Two runs side by side: their steps aligned, the first difference marked, their totals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from agents.runs.bodies import Reading, read_runs
from agents.runs.control_forms import CompareForm
from agents.runs.models import Run, Step
from agents.runs.shown import look_of, name_of, shortened
from agents.runs.traces import Comparison, compare
from foundation.access.roles import Permission
from foundation.errors import InvalidError
from foundation.web.components.steps import StepLook
from foundation.web.forms import FormPage
from foundation.web.pages import Page

MOST_OFFERED = 10


class CompareWith(FormPage):
    """Asks for the run to compare with: any that the actor may see."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/run_compare_with.html"
    form = CompareForm

    def load(self, **address: Any) -> None:
        """The run."""
        self._run = self.found(Run.objects.select_related("agent"), pk=address["run_id"])

    def context(self) -> Mapping[str, Any]:
        """The run, and its newest siblings."""
        rows = self.permitted(Run.objects.filter(agent_id=self._run.agent_id)).exclude(pk=self._run.pk)
        return {"run": self._run, "others": list(rows.order_by("-id")[:MOST_OFFERED])}

    def done(self, values: Mapping[str, Any]) -> str:
        """To the two, side by side."""
        other = self.permitted(Run.objects.all()).filter(pk=values["other"]).first()
        if other is None:
            raise InvalidError("There is no such run here, or you may not see it.", "other")
        return f"/runs/{self._run.id}/compare/{other.id}/"


class Compare(Page):
    """Two runs side by side, their steps aligned."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/run_compare.html"

    def get(self, request: HttpRequest, run_id: UUID, other_id: UUID) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The first in time on the left."""
        rows = Run.objects.select_related("agent", "version")
        one, other = self.found(rows, pk=run_id), self.found(rows, pk=other_id)
        told = compare(one, other)
        readings = read_runs(self.actor, [one.pk, other.pk])
        context = {"told": told, "one": one, "other": other, "columns": zip((one, other), told.totals, strict=True)}
        return self.render({**context, "rows": [_row(told, place, readings) for place in range(len(told.pairs))]})


@dataclass(frozen=True, slots=True)
class Side:
    """One step of a row, with its run, as somebody may read it; without a step it has no counterpart."""

    run: Run
    step: Step | None
    reading: Reading

    @property
    def label(self) -> str:
        """What it is called."""
        return name_of(self.step) if self.step else ""

    @property
    def look(self) -> StepLook | None:
        """Its icon and colour."""
        return look_of(self.step) if self.step else None

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        if self.step is None or self.step.ended_at is None:
            return None
        return (self.step.ended_at - self.step.started_at).total_seconds()

    @property
    def given(self) -> Any:
        """What was asked, cut if it is long."""
        return shortened(self.reading.payload(self.step.input)) if self.step else None

    @property
    def gave(self) -> Any:
        """What came back, cut if it is long."""
        if self.step is None or self.step.output is None:
            return None
        return shortened(self.reading.payload(self.step.output))

    @property
    def error(self) -> Any:
        """Why it went wrong."""
        return self.reading.error(self.step) if self.step else ""


def _row(told: Comparison, place: int, readings: Mapping[UUID, Reading]) -> dict[str, Any]:
    pair = told.pairs[place]
    return {
        "sides": (
            Side(told.one, pair.one, readings[told.one.pk]),
            Side(told.other, pair.other, readings[told.other.pk]),
        ),
        "differs": pair.differs,
        "is_apart": pair.is_apart,
        "is_first": place == told.first_difference,
    }
