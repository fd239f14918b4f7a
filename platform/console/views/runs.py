"""The run's page: what it did, what it waits for, what each step was allowed, and what it cost."""

from typing import Any
from uuid import UUID

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from agents.runs.event_kinds import EVENT_KINDS
from agents.runs.forms import ResolveEndedForm, ResolveForm
from agents.runs.models import Relation, Run, Step, StepState, Wait
from agents.runs.remit import remit_of
from console.bands import bands_of
from console.relations import around, trace_of
from console.story import Story, Told
from foundation.access.roles import Permission
from foundation.instants import database_now
from foundation.web.components.controls import Choice
from foundation.web.condense import condense
from foundation.web.pages import Page
from foundation.web.waterfall import lay_out
from governance.approvals.models import ApprovalState
from governance.approvals.queue import Ask, as_asks, visible_requests

MOST_ROWS = 200


class RunPage(Page):
    """`?step=` selects a step, `?kind=` keeps some, `?before=` draws those before one that a long run has no room for.

    htmx asks for the inspector, the stream for `?part=live`.
    """

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "console/run.html"
    part = "console/run_inspector.html"

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        """The page, its inspector, or its living part."""
        known = Run.objects.select_related(
            "agent", "version__language_model__provider", "requester", "parent__agent", "former__agent", "session"
        )
        run = self.found(known.defer("input", "output"), pk=run_id)
        story = Story(self.actor, run)
        kind, key = request.GET.get("kind", ""), request.GET.get("step", "")
        context = {
            **self._inspected(story, story.find(key)),
            "run": run,
            "why_not_control": self.why_not(Permission.RUN_CONTROL, run.target_id),
        }
        if self.is_partial and request.GET.get("part") != "live":
            return self.render(context)
        rows = condense(story.spans(kind), MOST_ROWS, before=request.GET.get("before", ""), wanted=key)
        context |= {
            "story": story,
            "seen": f"{timezone.now():%H:%M:%S} UTC",
            "is_part": request.GET.get("part") == "live",
            "event_kinds": " ".join(EVENT_KINDS),
            "bands": bands_of(self.actor, story.rows, run, story.readings),
            "around": around(self.actor, run),
            "trace": trace_of(run),
            "remit": remit_of(run, run.version, database_now()),
            "plan": lay_out(story.noted(rows), story.now),
            "kinds": _kinds(story),
            "asks": self._asks(story),
            "doubt": _doubt(story),
            "resolve_form": ResolveForm() if story.is_going_on else ResolveEndedForm(),
            "resolve_word": "Go on" if story.is_going_on else "Keep it",
        }
        return self.render(context)

    def render(self, context: Any, status: int = 200) -> HttpResponse:
        """The stream's part has a template of its own."""
        if self.request.GET.get("part") == "live":
            self.template = self.part = "console/run_live.html"  # type: ignore[misc]  # this request's own
        return super().render(context, status)

    def _inspected(self, story: Story, told: Told | None) -> dict[str, Any]:
        """The selected step with its bodies, which the tree does without."""
        if told is None:
            reading = story.readings[story.run.id]
            came_in, output = Run.objects.values_list("input", "output").get(pk=story.run.pk)
            answer = output.get("text") or output if isinstance(output, dict) else output
            return {"told": None, "selected": "", "came_in": reading.input(came_in), "answer": reading.answer(answer)}
        step = Step.objects.get(run_id=told.step.run_id, number=told.step.number)
        bodies = {"given": told.reading.payload(step.input), "error": told.reading.error(step)}
        bodies["gave"] = told.reading.payload(step.output)
        bodies["note"] = story.note_of(told)
        return {"told": told, "step": step, "selected": told.key, "seconds": _seconds(step), "story": story, **bodies}

    def _asks(self, story: Story) -> list[Ask]:
        """What people are asked for in this run or below it."""
        requests = visible_requests(self.actor).filter(run_id__in=story.runs, state=ApprovalState.WAITING)
        return as_asks(self.actor, requests.order_by(F("expires_at")))


def _seconds(step: Step) -> float | None:
    return (step.ended_at - step.started_at).total_seconds() if step.ended_at else None


def _doubt(story: Story) -> Told | None:
    """The first step of the run itself that takes a person's word."""
    run = story.run
    if run.relation == Relation.REPLAY or (story.is_going_on and run.waits_for != Wait.PERSON):
        return None
    unknown = (one for one in story.told if one.step.state == StepState.UNKNOWN)
    return next((one for one in unknown if one.step.run_id == run.id), None)


def _kinds(story: Story) -> list[Choice]:
    return [
        Choice("", "All", len(story.told)),
        Choice("model", "Models"),
        Choice("tools", "Tools"),
        Choice("policy", "Policy"),
        Choice("problem", "Problems", story.problems, "bad" if story.problems else ""),
    ]
