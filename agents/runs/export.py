"""A session as one JSON document: everything that it holds, with labels; files by their digests."""

from typing import Any

from agents.registry.models import LARGE_IN_VERSIONS
from agents.runs.items import Item, items_of
from agents.runs.models import Artifact, Run, Session, Summary
from foundation.audit.plain import instant

FORMAT = "remit.session.v1"


def exported(session: Session) -> dict[str, Any]:
    """The document."""
    found = Session.objects.select_related("agent", "version").get(pk=session.pk)
    turns = Run.objects.filter(session=found).select_related("agent", "version").order_by("created_at", "id")
    turns = turns.defer("input", "input_label", "chain", *(f"version__{one}" for one in LARGE_IN_VERSIONS))
    return {
        "format": FORMAT,
        "session": {
            "id": str(found.pk), "agent": found.agent.slug, "version": found.version.number,
            "version_hash": found.version.content_hash, "title": found.title, "counterpart": found.counterpart,
            "state": found.state, "label": found.label, "created_at": instant(found.created_at),
            "closed_at": instant(found.closed_at) if found.closed_at else None,
        },
        "memory": found.memory,
        "runs": [
            {"id": str(run.pk), "title": run.title, "agent": run.agent.slug, "version": run.version.number,
             "version_hash": run.version.content_hash, "state": run.state, "source": run.source, "output": run.output,
             "failure": run.failure, "cost": run.cost, "currency": run.currency,
             "created_at": instant(run.created_at)} for run in turns
        ],
        "items": [item_as_json(item) for item in items_of(found)],
        "summaries": [
            {"id": str(one.pk), "run": str(one.run_id), "step": one.number, "text": one.text, "label": one.label,
             "lineage": one.lineage} for one in Summary.objects.filter(session=found).order_by("created_at", "id")
        ],
        "files": [
            {"id": str(one.pk), "name": one.name, "media_type": one.media_type, "size": one.blob.size,
             "digest": f"sha256:{one.blob.digest}", "label": one.label, "created_at": instant(one.created_at)}
            for one in Artifact.objects.filter(session=found).select_related("blob").defer("blob__content")
        ],
    }  # fmt: skip


def item_as_json(item: Item) -> dict[str, Any]:
    """An item as plain values."""
    return {
        "id": item.id, "kind": item.kind, "run": str(item.run), "step": item.step, "name": item.name,
        "content": item.content, "call_id": item.call_id, "state": item.state, "label": item.label,
        "tokens": item.tokens, "at": instant(item.at),
    }  # fmt: skip
