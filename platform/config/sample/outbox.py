"""Mail tool of the sample team: writes each mail as a file into an outbox folder, once for each idempotency key.

Settings: {"folder": a name below the data directory, "sender": the address that mails come from}.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from typing import Any

from agents.labels import Confidentiality, Integrity, Label
from agents.tools.port import ToolDefinition, ToolEffect, ToolOutput, ToolRefusedError, ToolRequest
from config.environment import data_directory

_ADDRESS = {"type": "string", "pattern": r"^[^@\s,;<>]+@[^@\s,;<>]+$", "maxLength": 254}
_SCHEMA = {
    "type": "object",
    "properties": {
        "to": _ADDRESS,
        "subject": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\r\n]*$"},
        "body": {"type": "string", "minLength": 1, "maxLength": 20_000},
    },
    "required": ["to", "subject", "body"],
    "additionalProperties": False,
}


class MailOutbox:
    """`send` writes one .eml file whose name is the hash of the idempotency key."""

    def definitions(self, settings: Mapping[str, Any]) -> Sequence[ToolDefinition]:  # noqa: ARG002 - the port's
        """The one operation."""
        return [
            ToolDefinition(
                name="send",
                description="Send a mail in plain text from the refund desk to one address.",
                schema=_SCHEMA,
                effect=ToolEffect.IDEMPOTENT,
            )
        ]

    def call(self, request: ToolRequest) -> ToolOutput:
        """Write the mail, or find it written already under the same key; the receipt is the same both times."""
        if request.operation != "send":
            raise ToolRefusedError(f"There is no operation {request.operation!r}: use send.")
        folder = _folder(request.settings)
        name = hashlib.sha256(request.idempotency_key.encode()).hexdigest()
        sender = str(request.settings.get("sender", "refunds@northwind.example"))
        digest = hashlib.sha256(json.dumps(dict(request.arguments), sort_keys=True).encode()).hexdigest()
        message = _compose(request.arguments, sender, f"<{name[:32]}@{sender.rpartition('@')[2]}>", digest)
        path = folder / f"{name}.eml"
        if not _write_once(path, message) and digest.encode() not in path.read_bytes():
            raise ToolRefusedError("The idempotency key was used for another mail: nothing was sent.")
        receipt = {"file": path.name, "message_id": message["Message-ID"], "to": request.arguments["to"]}
        return ToolOutput(receipt, Label(Integrity.TRUSTED, Confidentiality.INTERNAL, frozenset({"outbox"})))


def _folder(settings: Mapping[str, Any]) -> Path:
    # A connector's settings are an organisation's to write: they may choose a place among the data, not on the machine.
    name = str(settings.get("folder") or "outbox")
    base = data_directory()
    folder = (base / "sample" / name).resolve()
    if not folder.is_relative_to(base / "sample"):
        raise ToolRefusedError("The outbox folder must be a name below the data directory: change the connector.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _compose(arguments: Mapping[str, Any], sender: str, message_id: str, digest: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = sender
        message["To"] = str(arguments["to"])
        message["Subject"] = str(arguments["subject"])
        message["Date"] = formatdate()
        message["Message-ID"] = message_id
        message["X-Content-Digest"] = f"sha256:{digest}"
        message.set_content(str(arguments["body"]))
    except (ValueError, MessageError):
        raise ToolRefusedError("The address or the subject cannot stand in a mail: nothing was sent.") from None
    return message


def _write_once(path: Path, message: EmailMessage) -> bool:
    """Write the whole file or nothing. False when a file of this name was there."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(bytes(message))
            file.flush()
            os.fsync(file.fileno())
        # A hard link never replaces a file that is there: of two writers one wins, the other finds the winner's mail.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        Path(draft).unlink(missing_ok=True)
    _sync(path.parent)
    return True


def _sync(folder: Path) -> None:
    """Make the new name itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
