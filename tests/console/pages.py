"""The console's pages as people of a furnished organisation see them, for the tests of every app's pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.test import Client

from agents.runs.models import Artifact, Blob, Callback, InputRequest, Summary
from foundation.ids import uuid7
from foundation.secrets.sealing import seal
from tests.foundation.api.world import World, furnish, make_organisation

__all__ = ["Visit", "visit", "with_waits", "world"]

FORM = {
    "type": "object",
    "properties": {
        "right": {"type": "boolean", "title": "It is right"},
        "note": {"type": "string", "description": "In a few words."},
        "amount": {"type": "integer", "minimum": 1},
        "kind": {"type": "string", "enum": ["one", "two"]},
    },
    "required": ["right", "note"],
    "additionalProperties": False,
}
Visit = Callable[..., Any]


@pytest.fixture
def world(database: Any) -> World:
    """An organisation with one of everything."""
    return with_waits(furnish(make_organisation("console", lazily=True)))


def with_waits(world: World) -> World:
    """With a question, an address to be called, a file and a summary: what only pages show of one run."""
    run, session = world.things["runs"], world.things["sessions"]
    common: dict[str, Any] = {"organisation_id": world.organisation.id}
    later = datetime.now(UTC) + timedelta(hours=1)
    question = InputRequest.objects.using("engine").create(
        **common, run_id=run, step=1, question=world.canary, schema=FORM, expires_at=later
    )
    identifier = uuid7()
    sealed = seal(f"secret-{world.canary}", context=f"callback:{identifier}")
    Callback.objects.using("engine").create(
        **common, id=identifier, run_id=run, step=1, name=world.canary, sealed_secret=sealed, expires_at=later
    )
    content = f"{world.canary} {run}".encode()
    blob = Blob.objects.using("engine").create(**common, digest=sha256(content).hexdigest(), size=len(content),
                                               content=content)  # fmt: skip
    artifact = Artifact.objects.using("engine").create(
        **common, session_id=session, run_id=run, blob_id=blob.id, name=f"{world.canary}.txt", media_type="text/plain"
    )
    Summary.objects.using("engine").create(
        **common, session_id=session, run_id=run, number=1, text=world.canary, label={}, lineage={}, tokens=1
    )
    world.things |= {"questions": question.id, "callbacks": identifier, "artifacts": artifact.id}
    return world


@pytest.fixture
def visit(world: World) -> Visit:
    """Ask for a page as somebody: `visit("/runs/", "viewer")`; a form is sent with `form=`."""

    def ask(path: str, role: str = "administrator", *, form: dict[str, Any] | None = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {world.keys[role]}"} | headers
        client = Client()
        return client.get(path, headers=sent) if form is None else client.post(path, form, headers=sent)

    return ask
