"""Pages of sessions: the list, and what one session holds."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, Max, OuterRef, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from agents.runs.bodies import read_session
from agents.runs.files import newest
from agents.runs.models import ENDED, Run, Session, SessionState, Summary
from agents.runs.session_forms import ContinueForm, FileForm, MemoryForm
from agents.runs.turns import turns_of
from foundation.access.guards import RefusedError
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.web.components.controls import Choice
from foundation.web.listing import exported, identifier_of, page_of
from foundation.web.pages import Page

COLUMNS = {
    "id": lambda session: session.id,
    "title": lambda session: session.title,
    "counterpart": lambda session: session.counterpart,
    "agent": lambda session: session.agent.slug,
    "version": lambda session: session.version.number,
    "state": lambda session: session.state,
    "created": lambda session: session.created_at,
    "closed": lambda session: session.closed_at,
}


class Sessions(Page):
    """`?state=` open or closed, `?agent=`, `?q=`; those of delegated work only with `?all=1`."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/sessions.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The newest first."""
        runs = self.permitted(Run.objects.all())
        rows = narrowed(request, self.permitted(Session.objects.listed()), runs)
        if (file := exported(request, rows, COLUMNS, "sessions")) is not None:
            return file
        part = page_of(request, rows)
        used, titles = uses_of(part.rows), titles_of(part.rows, runs)
        states = [Choice("", "All"), *(Choice(state.value, state.label) for state in SessionState)]
        context = {
            "slice": part,
            "rows": [(row, titles.get(row.id, row.title), *used.get(row.id, (0, None))) for row in part.rows],
            "states": states,
            "filtered": bool(request.GET),
            "why_not_start": self.why_not(Permission.RUN_START),
        }
        return self.render({**context, **{name: request.GET.get(name, "") for name in ("q", "agent", "state", "all")}})


def narrowed(
    request: HttpRequest, rows: PermittedQuerySet[Session], runs: PermittedQuerySet[Run]
) -> PermittedQuerySet[Session]:
    """What the address asks for; one without a title is found by those of its runs."""
    state, agent, words = (request.GET.get(name, "") for name in ("state", "agent", "q"))
    if state in SessionState.values:
        rows = rows.filter(state=state)
    if agent:
        rows = rows.filter(agent__slug=agent)
    if words:
        named = Exists(runs.filter(session_id=OuterRef("pk"), title__icontains=words))
        rows = rows.filter(Q(title__icontains=words) | Q(counterpart__icontains=words) | Q(named, title=""))
    if not request.GET.get("all"):
        rows = rows.filter(~Exists(Run.objects.filter(session_id=OuterRef("pk"), parent__isnull=False)))
    return rows


def uses_of(sessions: Iterable[Session]) -> Mapping[UUID, tuple[int, Any]]:
    """How many runs each session has had, and when the last began: one query."""
    rows = Run.objects.filter(session__in=[one.id for one in sessions]).order_by().values("session")
    counted = rows.annotate(runs=Count("id"), last=Max("created_at"))
    return {row["session"]: (row["runs"], row["last"]) for row in counted}


def titles_of(sessions: Iterable[Session], runs: PermittedQuerySet[Run]) -> Mapping[UUID, str]:
    """What those without a title are called: as the first of these runs in them. One query."""
    untitled = runs.filter(session__in=[one.id for one in sessions if not one.title])
    return dict(untitled.order_by("session", "id").distinct("session").values_list("session", "title"))


class SessionPage(Page):
    """One session: its turns (`?before=` a run shows older ones), and what it keeps."""

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/session.html"

    def get(self, request: HttpRequest, session_id: UUID) -> HttpResponse:
        """The newest turns."""
        session = self.found(Session.objects.select_related("agent__serving", "version"), pk=session_id)
        before = request.GET.get("before", "")
        turns, older = turns_of(self.actor, session, identifier_of(before) if before else None)
        reading = read_session(self.actor, session)
        summaries = Summary.objects.filter(session=session).order_by("-id")[:10]
        busy = Run.objects.filter(session=session).exclude(state__in=ENDED).order_by("-id").first()
        return self.render(
            {
                "session": session,
                "title": titles_of([session], self.permitted(Run.objects.all())).get(session.id, session.title),
                "turns": turns,
                "older": older,
                "before": before,
                "runs": Run.objects.filter(session=session).count(),
                "busy": busy,
                "memory": [
                    (name, {**kept, "value": reading.payload(kept.get("value"))})
                    for name, kept in sorted(session.memory.items())
                ],
                "files": list(newest(session.id).values()),
                "summaries": [(one, reading.payload(one.text)) for one in summaries],
                "continue_form": ContinueForm(auto_id="continue_%s"),
                "memory_form": MemoryForm(auto_id="memory_%s"),
                "file_form": FileForm(auto_id="file_%s"),
                "why_not_read": "" if reading.is_auditor else str(RefusedError(Permission.AUDIT_READ_BODIES)),
                "why_not_start": self._why_not_start(session, busy),
                "why_not_control": self._why_not(session, Permission.RUN_CONTROL),
                "why_not_move": self._why_not(session, Permission.AGENT_MANAGE),
            }
        )

    def _why_not_start(self, session: Session, busy: Run | None) -> str:
        if busy is not None:
            return "Its run has not ended: wait for it, or stop it."
        return self._why_not(session, Permission.RUN_START)

    def _why_not(self, session: Session, permission: Permission) -> str:
        if session.state == SessionState.CLOSED:
            return "It is closed: nothing changes any more."
        return self.why_not(permission, session.target_id)
