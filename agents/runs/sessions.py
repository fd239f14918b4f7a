"""Verbs on sessions: opened, moved to another version, closed; their memory, their files, their export."""

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from agents.labels import Integrity, Label, join
from agents.registry.models import Agent, AgentState, AgentVersion
from agents.runs import files, memory
from agents.runs.export import exported
from agents.runs.models import ENDED, Artifact, Run, Session, SessionState
from foundation.actors import Actor
from foundation.audit.plain import plain_text
from foundation.audit.record import Entry, entry, record
from foundation.errors import ConflictError, InvalidError
from foundation.inputs import checked_json, checked_optional, refuse_agent

__all__ = [
    "close_session", "export_session", "forget_memory", "move_session", "open_session",
    "read_artifact", "save_artifact", "set_memory",
]  # fmt: skip


@transaction.atomic
def open_session(*, actor: Actor, agent: Agent, title: str = "", counterpart: str = "") -> Session:
    """An empty session with the version that serves now; it stays pinned to that."""
    refuse_agent(actor)
    if agent.state != AgentState.ACTIVE or agent.serving is None:
        raise InvalidError(
            f"{agent.name} is {agent.get_state_display().lower()}: only an active agent with a version has sessions."
        )
    session = Session.objects.create(
        organisation_id=agent.organisation_id, agent=agent, version=agent.serving, target_id=agent.target_id,
        title=checked_optional(title, 200, "title"), label=join([]).as_json(),
        counterpart=checked_optional(counterpart, 300, "counterpart") or actor.name,
    )  # fmt: skip
    record(_about(actor, "session.open", session, agent=agent.slug, version=agent.serving.number))
    return session


@transaction.atomic
def close_session(*, actor: Actor, session: Session, reason: str = "") -> Session:
    """It takes no more input; what is in it stays readable. Raises ConflictError."""
    refuse_agent(actor)
    session = _open(session)
    _refuse_busy(session, "closed")
    Session.objects.filter(pk=session.pk).update(state=SessionState.CLOSED, closed_at=Now())
    record(_about(actor, "session.close", session, reason))
    return Session.objects.get(pk=session.pk)


@transaction.atomic
def move_session(*, actor: Actor, session: Session, version: AgentVersion, reason: str = "") -> Session:
    """Its next runs work with another version of its agent. Raises ConflictError, InvalidError."""
    refuse_agent(actor)
    session = _open(session)
    if version.agent_id != session.agent_id:
        raise InvalidError("This version belongs to another agent: a session moves between versions of its own.",
                           "version")  # fmt: skip
    if version.pk == session.version_id:
        raise ConflictError(f"This session works with version {version.number} already.")
    _refuse_busy(session, "moved")
    former, session.version = session.version.number, version
    session.save(update_fields=["version"])
    record(_about(actor, "session.move", session, reason, former=former, number=version.number,
                  hash=version.content_hash))  # fmt: skip
    return session


@transaction.atomic
def set_memory(*, actor: Actor, session: Session, name: str, value: Any) -> Session:
    """Note a value (any JSON) under a name. A person's word is trusted, a program's is not."""
    refuse_agent(actor)
    session = _open(session)
    if problem := memory.name_problem(name):
        raise InvalidError(problem, "name")
    checked_json(value, memory.LARGEST_VALUE * 6, "value")
    if problem := memory.problem_of(session.memory, name, value):
        raise InvalidError(problem, "value")
    trust = Integrity.TRUSTED if actor.is_person else Integrity.UNTRUSTED
    with connection.cursor() as cursor:
        memory.write(cursor, session.pk, name, memory.given(value, trust))
    record(_about(actor, "session.remember", session, name=name))
    return Session.objects.get(pk=session.pk)


@transaction.atomic
def forget_memory(*, actor: Actor, session: Session, name: str) -> Session:
    """Take a name away. What the model has read of it stays in the journal. Raises InvalidError."""
    refuse_agent(actor)
    session = _open(session)
    if name not in session.memory:
        raise InvalidError("Nothing is noted under this name.", "name")
    with connection.cursor() as cursor:
        memory.forget(cursor, session.pk, name)
    record(_about(actor, "session.forget", session, name=name))
    return Session.objects.get(pk=session.pk)


@transaction.atomic
def save_artifact(
    *, actor: Actor, session: Session, name: str, media_type: str, content: bytes, run: Run | None = None,
    label: Label | None = None,
) -> Artifact:  # fmt: skip
    """Save a file under a name. It counts as untrusted unless the caller knows better. Raises InvalidError."""
    refuse_agent(actor)
    session = _open(session)
    with connection.cursor() as cursor:
        problem = files.name_problem(name) or files.room_problem(cursor, session.pk, len(content))
        if problem or plain_text(name) != name:
            raise InvalidError(problem or "The file's name is no text.", "name")
        identifier, digest = files.keep(
            cursor, organisation=session.organisation_id, session=session.pk, run=run.pk if run else None,
            name=name,
            media_type=files.checked_type(media_type), content=content,
            label=label or Label(Integrity.UNTRUSTED, sources=frozenset({"upload"})),
        )  # fmt: skip
    record(_about(actor, "session.save_file", session, file=identifier, name=name, size=len(content), digest=digest))
    return Artifact.objects.select_related("blob").defer("blob__content").get(pk=identifier)


@transaction.atomic
def read_artifact(*, actor: Actor, artifact: Artifact) -> bytes:
    """The content of a file; that it was read is recorded."""
    content = files.content_of(artifact)
    record(
        entry(actor, "session.read_file", target_kind="artifact", target_id=artifact.pk, target_name=artifact.name,
              details={"session": str(artifact.session_id), "digest": artifact.blob.digest})
    )  # fmt: skip
    return content


@transaction.atomic
def export_session(*, actor: Actor, session: Session) -> Iterator[str]:
    """All of a session as the pieces of one JSON document, files by their digests; that it is read is recorded."""
    record(_about(actor, "session.export", session, runs=Run.objects.filter(session=session).count()))
    return exported(session)


def _open(session: Session) -> Session:
    """The session, locked; runs of it begin under the same lock."""
    Session.objects.lock(session.pk, no_key=True)
    found = Session.objects.select_related("version").get(pk=session.pk)
    if found.state == SessionState.CLOSED:
        raise ConflictError("This session is closed: open another one.")
    return found


def _refuse_busy(session: Session, verb: str) -> None:
    running = Run.objects.filter(session=session).exclude(state__in=ENDED).first()
    if running is not None:
        raise ConflictError(
            f"This session has a run that has not ended ({running.get_state_display().lower()}): "
            f"it can be {verb} when that has ended."
        )


def _about(actor: Actor, action: str, session: Session, reason: str = "", **details: object) -> Entry:
    return entry(
        actor, action, target_kind="session", target_id=session.pk, target_name=session.title or session.counterpart,
        reason=reason, details=details,
    )  # fmt: skip
