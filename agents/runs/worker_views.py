"""The page of the processes that do the work, and of what is queued for them."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Min, Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse

from agents.runs.models import Heartbeat, Run, RunState, Wait
from foundation.access.models import PermittedQuerySet
from foundation.access.roles import Permission
from foundation.web.pages import Page

SILENT_AFTER = 3  # heartbeats
GONE = frozenset({"silent", "ended"})


class Workers(Page):
    """Workers with their slots, and the runs that the actor may see by what they wait for.

    Which processes there are, by name and release, tells of the installation: that is for whoever sees all runs.
    """

    permission = Permission.RUN_VIEW
    place = "runs"
    template = "agents/workers.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """As it stands."""
        workers = list(Heartbeat.objects.annotate(silence=Now() - F("seen_at")).order_by("-kind", "name"))
        living = [one for one in workers if one.kind == "worker" and state_of(one) not in GONE]
        busy, slots = sum(one.busy for one in living), sum(one.slots for one in living)
        runs = self.permitted(Run.objects.all())
        return self.render(
            {
                "workers": sorted(((one, state_of(one)) for one in workers), key=lambda one: one[1] in GONE),
                "why_not": self.why_not(Permission.RUN_VIEW),
                "living": len(living),
                "slots": f"{busy} of {slots}",
                "slots_note": f"{len(living)} worker{'' if len(living) == 1 else 's'}",
                "queue": _queue(runs),
                "waits": _waits(runs),
            }
        )


def state_of(process: Any) -> str:
    """Silent, ended (as it was asked to), draining, busy or idle; `process` is a heartbeat with its `silence`."""
    if process.silence > timedelta(seconds=SILENT_AFTER * max(settings.RUN_HEARTBEAT_SECONDS, 5)):
        return "ended" if process.draining else "silent"
    if process.draining:
        return "draining"
    return "busy" if process.busy else "idle"


def _queue(runs: PermittedQuerySet[Run]) -> dict[str, Any]:
    states = {"queued": RunState.QUEUED, "running": RunState.RUNNING, "waiting": RunState.WAITING}
    counted = {name: Count("id", filter=Q(state=state)) for name, state in states.items()}
    open_runs = runs.filter(state__in=states.values())
    found: dict[str, Any] = open_runs.aggregate(**counted, oldest=Min("rung_at", filter=Q(state=RunState.QUEUED)))
    return found


def _waits(runs: PermittedQuerySet[Run]) -> list[dict[str, Any]]:
    """What runs wait for, the most frequent first."""
    rows = runs.filter(state=RunState.WAITING).order_by().values("waits_for")
    counted = rows.annotate(runs=Count("id"), oldest=Min("created_at"), next=Min("wake_at")).order_by("-runs")
    return [{**row, "wait": Wait(row["waits_for"])} for row in counted]
