"""The files of a session: bytes kept once for each content, under names; a former file of a name stays readable."""

import hashlib
import json
import re
from typing import Any
from uuid import UUID

from agents.labels import Label
from agents.runs.models import Artifact
from foundation.batches import Cursor
from foundation.ids import uuid7

LARGEST_FILE = 10 * 1024 * 1024  # bytes
LARGEST_SESSION = 100 * 1024 * 1024  # bytes of all files of a session, former ones of a name included
LONGEST_NAME = 200
UNKNOWN_TYPE = "application/octet-stream"
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,48}/[a-z0-9][a-z0-9.+-]{0,48}")


def name_problem(name: str) -> str:
    """Why a file cannot have this name, in a sentence; empty if it can."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        return f"A file's name has 1 to {LONGEST_NAME} printable characters, without blanks around it."
    return "A file's name holds no slashes and does not begin with a dot." if _is_path(name) else ""


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name or name.startswith(".")


def checked_type(media_type: str) -> str:
    """A media type (RFC 6838) in lower case; whatever is none counts as bytes."""
    plain = media_type.partition(";")[0].strip().lower()
    return plain if _TYPE.fullmatch(plain) else UNKNOWN_TYPE


def room_problem(cursor: Cursor, session: UUID, size: int) -> str:
    """Why so many more bytes do not fit, in a sentence; empty if they do. Locks the session, so that limits hold."""
    if size > LARGEST_FILE:
        return f"This file has {size:,} bytes: at most {LARGEST_FILE:,} can be kept."
    cursor.execute("SELECT id FROM runs_session WHERE id = %s FOR NO KEY UPDATE", (session,))
    cursor.execute(
        "SELECT coalesce(sum(b.size), 0) FROM runs_artifact a JOIN runs_blob b ON b.id = a.blob_id "
        "WHERE a.session_id = %s",
        (session,),
    )
    held = int(cursor.fetchone()[0])
    if held + size > LARGEST_SESSION:
        return f"The files of this session have {held:,} bytes: with this one they would exceed {LARGEST_SESSION:,}."
    return ""


def keep(
    cursor: Cursor, *, organisation: UUID, session: UUID, run: UUID | None, name: str, media_type: str,
    content: bytes, label: Label,
) -> tuple[UUID, str]:  # fmt: skip
    """Write a file; its id, and the SHA-256 of its content in hexadecimal. Equal content is stored once."""
    digest = hashlib.sha256(content).hexdigest()
    cursor.execute(
        "INSERT INTO runs_blob (id, organisation_id, digest, size, content) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (organisation_id, digest) DO NOTHING",
        (uuid7(), organisation, digest, len(content), content),
    )
    identifier = uuid7()
    cursor.execute(
        "INSERT INTO runs_artifact (id, organisation_id, session_id, run_id, blob_id, name, media_type, label) "
        "SELECT %s, %s, %s, %s, id, %s, %s, %s FROM runs_blob WHERE organisation_id = %s AND digest = %s",
        (identifier, organisation, session, run, name, media_type, json.dumps(label.as_json()), organisation, digest),
    )
    return identifier, digest


def newest(session: UUID, using: str = "default") -> dict[str, Artifact]:
    """The files of a session by their names: of each name the one that was saved last; without their content."""
    rows = Artifact.objects.using(using).filter(session_id=session).select_related("blob").defer("blob__content")
    return {one.name: one for one in rows.order_by("created_at", "id")}


def content_of(artifact: Artifact, using: str = "default") -> bytes:
    """The bytes of a file."""
    row: Any = Artifact.objects.using(using).filter(pk=artifact.pk).values_list("blob__content", flat=True).get()
    return bytes(row)
