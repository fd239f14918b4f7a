"""The record: what was done by whom, and whether it is still as it was signed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from foundation.access.guards import UnknownError, require
from foundation.access.roles import Permission
from foundation.audit.export import export
from foundation.audit.models import AuditBody, AuditEntry, AuditLeaf, Checkpoint, Outcome
from foundation.audit.services import read_body
from foundation.audit.verification import verify
from foundation.web.components.charts import Bar
from foundation.web.components.controls import Choice
from foundation.web.listing import exported, identifier_of, page_of
from foundation.web.pages import Page

RANGES = {"": ("Last 24 hours", timedelta(hours=24)), "7d": ("Last 7 days", timedelta(days=7)), "all": ("All", None)}
KINDS = ("agent", "person", "service", "system", "anonymous")
COLUMNS = {
    name: (lambda row, name=name: getattr(row, name))
    for name in (
        "id", "at", "actor_kind", "actor_name", "action", "target_kind", "target_id", "target_name", "outcome",
        "reason", "run_id", "step", "request_id", "address",
    )
}  # fmt: skip


class Record(Page):
    """Base of the record's pages: who may see it sees the whole of the organisation's."""

    permission = Permission.AUDIT_VIEW
    place = "audit"

    def entries(self) -> QuerySet[AuditEntry]:
        """The organisation's entries. Raises RefusedError."""
        self.require()
        return AuditEntry.objects.in_organisation(self.actor.organisation)

    def head(self) -> Checkpoint | None:
        """The newest signed head."""
        return Checkpoint.objects.filter(log=self.tenant).order_by("-size").first()


class AuditLog(Record):
    """`?q=`, `?kind=`, `?outcome=`, `?action=`, `?run=`, `?range=`; the whole view stands in the address."""

    template = "console/audit.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The newest first."""
        rows = _narrowed(request, self.entries())
        if (file := exported(request, rows, COLUMNS, "record")) is not None:
            return file
        part = page_of(request, rows)
        leaves = AuditLeaf.objects.filter(entry_id__in=[row.id for row in part.rows])
        places = {leaf.entry_id: leaf for leaf in leaves}
        listed = [(row, places.get(row.id)) for row in part.rows]
        bars = _hours(_narrowed(request, self.entries(), by_range=False))
        return self.render(
            {
                "entries": listed,
                "slice": part,
                "head": self.head(),
                "bars": bars,
                "facets": _facets(request, rows),
                "ranges": [Choice(key, label) for key, (label, _) in RANGES.items()],
                "q": request.GET.get("q", ""),
                "filtered": bool(request.GET),
            }
        )


class AuditPage(Record):
    """One entry, with its place in the log."""

    template = "console/audit_entry.html"

    def get(self, request: HttpRequest, entry_id: UUID) -> HttpResponse:
        """`?body=1` shows the body that is kept apart: to auditors alone, and that is recorded."""
        entry = self.entries().filter(pk=entry_id).first()
        if entry is None:
            raise UnknownError("entry")
        has_body = AuditBody.objects.filter(entry_id=entry.id).exists()
        body = None
        if has_body and request.GET.get("body"):
            require(self.actor, Permission.AUDIT_READ_BODIES)
            body = read_body(actor=self.actor, of=entry)
        leaf = AuditLeaf.objects.filter(entry_id=entry.id).first()
        why_not = self.why_not(Permission.AUDIT_READ_BODIES) if has_body else ""
        shown = {"entry": entry, "leaf": leaf, "has_body": has_body, "body": body, "why_not": why_not}
        return self.render({**shown, "head": self.head()})


class Verify(Record):
    """Every leaf from its entry, every root from its leaves, every signature."""

    template = "console/audit_verify.html"

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """What verifying means, and the newest head."""
        self.require()
        return self.render({"head": self.head()})

    def post(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The result."""
        self.require()
        return self.render({"head": self.head(), "result": verify(self.actor.organisation)})


class Export(Record):
    """The sealed log as lines of JSON, with all that an offline verifier needs."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:  # noqa: ARG002 - Django's signature
        """The file, made while it is sent."""
        self.require()
        return StreamingHttpResponse(
            _encoded(export(self.actor.organisation)),
            content_type="application/jsonl",
            headers={"Content-Disposition": 'attachment; filename="record.jsonl"'},
        )


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    for line in lines:
        yield f"{line.rstrip()}\n".encode()


def _narrowed(request: HttpRequest, rows: Any, *, by_range: bool = True) -> Any:
    asked = {name: request.GET.get(name, "") for name in ("q", "kind", "outcome", "action", "run", "range")}
    length = RANGES.get(asked["range"], RANGES[""])[1]
    rows = rows.matching(
        action=asked["action"],
        outcome=asked["outcome"] if asked["outcome"] in Outcome.values else "",
        text=asked["q"],
        since=timezone.now() - (length or timedelta(days=36_500)) if by_range and length else None,
    )
    if asked["kind"] in KINDS:
        rows = rows.filter(actor_kind=asked["kind"])
    return rows.in_run(identifier_of(asked["run"])) if asked["run"] else rows


def _facets(request: HttpRequest, rows: QuerySet[AuditEntry]) -> list[tuple[str, str, list[tuple[str, int, bool]]]]:
    """Actor kinds, outcomes and actions of this view with their counts, the chosen one marked."""
    facets = []
    for label, name, field in (
        ("Actor", "kind", "actor_kind"),
        ("Outcome", "outcome", "outcome"),
        ("Action", "action", "action"),
    ):
        counted = rows.order_by().values_list(field).annotate(entries=Count("id")).order_by("-entries")[:12]
        chosen = request.GET.get(name, "")
        facets.append((label, name, [(value, entries, value == chosen) for value, entries in counted]))
    return facets


def _hours(rows: QuerySet[AuditEntry]) -> list[Bar]:
    """The last 24 hours of this view, what was not as usual on top."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    recent = rows.filter(at__gte=now - timedelta(hours=23)).order_by().annotate(hour=TruncHour("at"))
    counted = recent.values("hour").annotate(
        usual=Count("id", filter=Q(outcome="ok")), other=Count("id", filter=~Q(outcome="ok"))
    )
    found = {row["hour"]: (row["usual"], row["other"]) for row in counted}
    hours = [now - timedelta(hours=back) for back in range(23, -1, -1)]
    return [
        Bar(
            f"{hour:%H}:00",
            [("quiet", "as usual", found.get(hour, (0, 0))[0]), ("bad", "otherwise", found.get(hour, (0, 0))[1])],
        )
        for hour in hours
    ]
