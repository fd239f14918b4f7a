"""Search over everything that the actor may see. Any id leads to its object."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from agents.registry.models import Agent
from agents.runs.models import InputRequest, Run, Session
from agents.schedules.models import Schedule, Trigger
from agents.tools.models import Tool
from foundation.access.roles import Permission
from foundation.actors import Actor
from foundation.web.components.marks import short_id
from foundation.web.pages import Page
from governance.approvals.models import ApprovalRequest
from governance.policies.models import Policy

EACH = 6


class Hit(NamedTuple):
    """One thing found."""

    url: str
    icon: str
    label: str
    note: str


class Search(Page):
    """`?q=` words, or an id."""

    personal = True
    template = "console/search.html"
    part = "console/search_hits.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """What was found, six of each kind."""
        words = request.GET.get("q", "").strip()[:200]
        hits = list(find_hits(self.actor, words)) if words else []
        return self.render({"q": words, "hits": hits})


def find_hits(actor: Actor, words: str) -> Iterator[Hit]:
    """Whatever has a name that holds the words, or the id that they are."""
    identifier = _identifier(words)
    named = Q(name__icontains=words) | Q(slug__icontains=words)
    agents = Agent.objects.all().permitted(actor, Permission.AGENT_VIEW)
    for agent in agents.filter(Q(pk=identifier) if identifier else named).select_related("team")[:EACH]:
        yield Hit(f"/agents/{agent.slug}/", "bot", agent.name, agent.team.name)
    runs = Run.objects.listed().permitted(actor, Permission.RUN_VIEW)
    titled = Q(title__icontains=words, parent=None) | Q(submission=words)
    for run in runs.filter(Q(pk=identifier) if identifier else titled).order_by("-id")[:EACH]:
        yield Hit(f"/runs/{run.id}/", "activity", run.title, short_id(run.id, "run"))
    yield from _around_runs(actor, words, identifier)
    requests = ApprovalRequest.objects.all().permitted(actor, Permission.APPROVAL_VIEW)
    asked = Q(question__icontains=words) | Q(tool__icontains=words)
    for request in requests.filter(Q(pk=identifier) if identifier else asked).order_by("-id")[:EACH]:
        yield Hit(f"/approvals/{request.id}/", "hand", request.question, request.get_state_display())
    policies = Policy.objects.all().permitted(actor, Permission.POLICY_VIEW)
    for policy in policies.filter(Q(pk=identifier) if identifier else named)[:EACH]:
        yield Hit(f"/policies/{policy.slug}/", "scale", policy.name, policy.slug)
    tools = Tool.objects.all().permitted(actor, Permission.TOOL_VIEW)
    for tool in tools.filter(Q(pk=identifier) if identifier else Q(name__icontains=words))[:EACH]:
        yield Hit(f"/tools/{tool.name}/", "plug", tool.name, tool.get_state_display())


def _around_runs(actor: Actor, words: str, identifier: UUID | None) -> Iterator[Hit]:
    """Sessions, schedules and triggers; an agent's question by its id."""
    sessions = Session.objects.listed().permitted(actor, Permission.RUN_VIEW)
    titled = Q(title__icontains=words) | Q(counterpart__icontains=words) & ~Q(title="")
    for session in sessions.filter(Q(pk=identifier) if identifier else titled).order_by("-id")[:EACH]:
        yield Hit(f"/sessions/{session.id}/", "message-square", session.title or "Session", session.counterpart)
    named = Q(pk=identifier) if identifier else Q(name__icontains=words)
    schedules = Schedule.objects.defer("input").permitted(actor, Permission.RUN_VIEW)
    for schedule in schedules.filter(named).order_by("-id")[:EACH]:
        yield Hit(f"/schedules/{schedule.id}/", "calendar", schedule.name, "schedule")
    triggers = Trigger.objects.all().permitted(actor, Permission.RUN_VIEW)
    for trigger in triggers.filter(named).order_by("-id")[:EACH]:
        yield Hit(f"/triggers/{trigger.id}/", "zap", trigger.name, "trigger")
    if identifier:
        questions = InputRequest.objects.all().permitted(actor, Permission.RUN_VIEW)
        for question in questions.filter(pk=identifier).select_related("run__agent"):
            yield Hit(
                f"/questions/{question.id}/", "message-square", f"{question.run.agent.name} asks a person", "question"
            )


def _identifier(words: str) -> UUID | None:
    try:
        return UUID(words.partition("_")[2] or words)
    except ValueError:
        return None
