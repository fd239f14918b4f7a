"""A session as one JSON document: everything that it holds, with labels; files by their digests.

It is made while it is sent, part by part. Where that breaks off, its closing bracket is missing: it is no JSON.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from agents.registry.models import LARGE_IN_VERSIONS
from agents.runs.items import Item, items_of
from agents.runs.models import Artifact, Run, Session, Summary
from agents.runs.past import turns_of
from foundation.audit.plain import instant
from foundation.tenancy.context import read_in_parts

FORMAT = "remit.session.v1"
_TOGETHER = 100  # runs whose outputs are read together

Rows = Iterator[Sequence[dict[str, Any]]]


def exported(session: Session) -> Iterator[str]:
    """The document, in pieces."""
    organisation = session.organisation_id
    yield "{"
    yield from read_in_parts(organisation, _beginning(session))
    lists = {"runs": _runs(session), "items": _items(session), "summaries": _summaries(session),
             "files": _files(session)}  # fmt: skip
    for name, parts in lists.items():
        yield f',\n"{name}": ['
        first = True
        for part in read_in_parts(organisation, parts):
            for row in part:
                yield f"{'' if first else ','}\n{_json(row)}"
                first = False
        yield "\n]"
    yield "}\n"


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def _beginning(session: Session) -> Iterator[str]:
    found = Session.objects.select_related("agent", "version").get(pk=session.pk)
    about = {
        "id": str(found.pk), "agent": found.agent.slug, "version": found.version.number,
        "version_hash": found.version.content_hash, "title": found.title, "counterpart": found.counterpart,
        "state": found.state, "label": found.label, "created_at": instant(found.created_at),
        "closed_at": instant(found.closed_at) if found.closed_at else None,
    }  # fmt: skip
    yield f'"format": {_json(FORMAT)},\n"session": {_json(about)},\n"memory": {_json(found.memory)}'


def _runs(session: Session) -> Rows:
    turns = iter([run.pk for run in turns_of(session.pk, light=True)])
    while together := list(islice(turns, _TOGETHER)):
        rows = Run.objects.filter(pk__in=together).select_related("agent", "version").order_by("created_at", "id")
        rows = rows.defer("input", "input_label", "chain", *(f"version__{one}" for one in LARGE_IN_VERSIONS))
        yield [
            {"id": str(run.pk), "title": run.title, "agent": run.agent.slug, "version": run.version.number,
             "version_hash": run.version.content_hash, "state": run.state, "source": run.source, "output": run.output,
             "failure": run.failure, "cost": run.cost, "currency": run.currency,
             "created_at": instant(run.created_at)} for run in rows
        ]  # fmt: skip


def _items(session: Session) -> Rows:
    for part in items_of(session):
        yield [item_as_json(item) for item in part]


def _summaries(session: Session) -> Rows:
    yield [
        {"id": str(one.pk), "run": str(one.run_id), "step": one.number, "text": one.text, "label": one.label,
         "lineage": one.lineage} for one in Summary.objects.filter(session=session).order_by("created_at", "id")
    ]  # fmt: skip


def _files(session: Session) -> Rows:
    yield [
        {"id": str(one.pk), "name": one.name, "media_type": one.media_type, "size": one.blob.size,
         "digest": f"sha256:{one.blob.digest}", "label": one.label, "created_at": instant(one.created_at)}
        for one in Artifact.objects.filter(session=session).select_related("blob").defer("blob__content")
    ]  # fmt: skip


def item_as_json(item: Item) -> dict[str, Any]:
    """An item as plain values."""
    return {
        "id": item.id, "kind": item.kind, "run": str(item.run), "step": item.step, "name": item.name,
        "content": item.content, "call_id": item.call_id, "state": item.state, "label": item.label,
        "tokens": item.tokens, "at": instant(item.at),
    }  # fmt: skip
