"""Approvals: the queue with the questions of agents beside it, one ask, and the two answers."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from agents.runs.bodies import read_run
from agents.runs.inbox import own_questions, questions
from foundation.access.roles import Permission
from foundation.errors import ConflictError, InvalidError
from foundation.web.components.controls import Choice
from foundation.web.forms import UNPROCESSABLE
from foundation.web.listing import exported, page_of
from foundation.web.pages import Page
from foundation.web.redirects import SeeOther
from governance.approvals.forms import ApproveForm, DenyForm
from governance.approvals.models import ApprovalRequest, ApprovalState
from governance.approvals.queue import as_asks, own_queue, queue, visible_requests
from governance.approvals.services import approve, deny

DECIDED = [state for state in ApprovalState.values if state != ApprovalState.WAITING]
COLUMNS = {
    "id": lambda row: row.id,
    "asked": lambda row: row.created_at,
    "question": lambda row: row.question,
    "agent": lambda row: row.run.agent.slug,
    "tool": lambda row: row.tool,
    "risk": lambda row: row.risk,
    "state": lambda row: row.state,
    "decided": lambda row: row.decided_at,
}


class Approvals(Page):
    """`?state=` waiting (by default), mine, or decided; `?risk=`; `?agent=`."""

    permission = Permission.APPROVAL_VIEW
    place = "approvals"
    template = "governance/approvals.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The queue, or what became of earlier asks."""
        state = request.GET.get("state", "")
        rows = _narrowed(request, visible_requests(self.actor))
        if (file := exported(request, rows, COLUMNS, "approvals")) is not None:
            return file
        asks, asked = queue(self.actor, rows), questions(self.actor)
        mine, my_own = own_queue(self.actor, rows, asks), own_questions(self.actor, asked)
        choices = [
            Choice("", "Waiting", len(asks) + len(asked)),
            Choice("mine", "For me", len(mine) + len(my_own)),
            Choice("decided", "Decided"),
        ]
        context: dict[str, Any] = {"state": state, "states": choices}
        if state == "decided":
            part = page_of(request, rows.filter(state__in=DECIDED))
            return self.render({**context, "decided": as_asks(self.actor, part.rows), "slice": part})
        shown = mine if state == "mine" else asks
        risk, agent = request.GET.get("risk", ""), request.GET.get("agent", "")
        told = [one for one in (my_own if state == "mine" else asked) if agent in {"", one.request.run.agent.slug}]
        return self.render({**context, "queue": shown, "questions": [] if risk else told})


class Approval(Page):
    """One ask: what would be done exactly, why, and who has voted."""

    permission = Permission.APPROVAL_VIEW
    place = "approvals"
    template = "governance/approval.html"

    def get(self, request: HttpRequest, request_id: UUID) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The page."""
        return self.shown(request_id)

    def shown(self, request_id: UUID, status: int = 200, **forms: Any) -> HttpResponse:
        """The page, with the forms as they were sent."""
        found = self.found(visible_requests(self.actor), Permission.APPROVAL_VIEW, pk=request_id)
        seen = {"digest": found.digest}
        reading = read_run(self.actor, found.run, Permission.APPROVAL_DECIDE)
        context = {
            "arguments": reading.asked(found.arguments),
            "ask": as_asks(self.actor, [found])[0],
            "votes": list(found.votes.select_related("principal")),
            "approve_form": ApproveForm(initial=seen, auto_id="approve_%s"),
            "deny_form": DenyForm(initial=seen, auto_id="deny_%s"),
            **forms,
        }
        return self.render(context, status)


class Decide(Approval):
    """Carries out an answer. Who decides second is told who was first."""

    writing = Permission.APPROVAL_DECIDE
    http_method_names = ["post"]

    def post(self, request: HttpRequest, request_id: UUID, answer: str) -> HttpResponse:
        """`answer` is approve or deny."""
        found = self.found(ApprovalRequest.objects.all(), pk=request_id)
        kind = ApproveForm if answer == "approve" else DenyForm
        form = kind(request.POST, auto_id=f"{answer}_%s")
        if form.is_valid():
            try:
                self._answer(found, answer, form.cleaned_data)
            except (InvalidError, ConflictError) as error:
                form.add_error(None, error.message)
            else:
                return SeeOther((request.POST.get("next") == "queue" and "/approvals/") or f"/approvals/{found.pk}/")
        return self.shown(request_id, UNPROCESSABLE, **{f"{answer}_form": form})

    def _answer(self, found: ApprovalRequest, answer: str, values: dict[str, Any]) -> None:
        if answer == "approve":
            approve(actor=self.actor, request=found, digest=values["digest"], reason=values["reason"])
            self.say(f"Approved: {found.question}")
        else:
            deny(actor=self.actor, request=found, reason=values["reason"])
            self.say(f"Denied: {found.question}")


def _narrowed(request: HttpRequest, rows: Any) -> Any:
    for parameter, field in (("risk", "risk"), ("agent", "run__agent__slug")):
        if value := request.GET.get(parameter):
            rows = rows.filter(**{field: value})
    return rows
