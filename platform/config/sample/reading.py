"""A mail file as the text that an agent reads: the headers that matter, the bodies, and what is attached."""

from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import Header, decode_header, make_header
from email.message import Message
from email.policy import compat32
from email.utils import parseaddr

HEADERS = ("From", "To", "Date", "Subject")
TITLE_LENGTH = 200
_LONGEST_TEXT_ATTACHMENT = 4_000  # characters


@dataclass(frozen=True, slots=True)
class Mail:
    """`subject` and `sender` (the bare address) for people, `text` for the agent."""

    subject: str
    sender: str
    text: str


def read_mail(raw: bytes) -> Mail:
    """Read a mail in any encoding; what cannot be decoded is replaced, never refused.

    An HTML part is given as its source, comments and all: hiding text from the agent is not this function's to decide.
    """
    # The older policy: the newer one raises IndexError for headers as plain as `From: 0@`.
    message = message_from_bytes(raw, policy=compat32)
    found = {name: _decoded(message.get(name, "")) for name in HEADERS}
    bodies, attachments = list[str](), list[str]()
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        if part.get_filename() or kind not in {"text/plain", "text/html"}:
            attachments.append(_attachment(part))
        else:
            heading = "[HTML part of the mail]\n" if kind == "text/html" else ""
            bodies.append(heading + _text(part).strip())
    headers = "\n".join(f"{name}: {value}" for name, value in found.items() if value)
    text = "\n\n".join(part for part in (headers, *bodies, *attachments) if part) + "\n"
    sender = parseaddr(found["From"])[1].lower()
    return Mail(found["Subject"][:TITLE_LENGTH] or "(no subject)", sender, text)


def _decoded(value: str | Header) -> str:
    """A header's text on one line."""
    try:
        text = str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        text = str(value)
    return " ".join(_storable(text).split())


def _attachment(part: Message) -> str:
    payload = part.get_payload(decode=True)
    size = len(payload) if isinstance(payload, bytes) else 0
    name = _decoded(part.get_filename() or "") or "unnamed"
    line = f"Attachment: {name} ({part.get_content_type()}, {size} bytes)"
    if part.get_content_maintype() != "text":
        return line
    return f"{line}\n{_text(part)[:_LONGEST_TEXT_ATTACHMENT].strip()}"


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        text = raw.decode(part.get_content_charset() or "utf-8", errors="replace")
    except (LookupError, ValueError):  # codecs such as idna and punycode replace nothing, whatever they are asked
        text = raw.decode("utf-8", errors="replace")
    return _storable(text.replace("\r\n", "\n"))


def _storable(text: str) -> str:
    # PostgreSQL's text holds neither NUL nor halves of a surrogate pair.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", errors="replace").decode()
