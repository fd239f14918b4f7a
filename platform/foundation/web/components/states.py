"""States, verdicts and outcomes: always a colour, an icon and a word together."""

from typing import NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString

from foundation.web.components.markup import icon


class Look(NamedTuple):
    """How a state is shown: the class of its colours, its icon, its word."""

    tone: str
    icon: str
    word: str


LOOKS: dict[str, Look] = {
    # runs and steps
    "queued": Look("quiet", "clock", "Queued"),
    "ready": Look("quiet", "clock", "Ready"),
    "pending": Look("quiet", "clock", "Pending"),
    "scheduled": Look("quiet", "calendar", "Scheduled"),
    "running": Look("info", "loader-circle", "Running"),
    "waiting": Look("wait", "hand", "Waiting"),
    # what a run waits for: the colour of a person only where a person is asked
    "waiting.approval": Look("wait", "hand", "Waiting for approval"),
    "waiting.input": Look("wait", "message-square", "Waiting for an answer"),
    "waiting.person": Look("warn", "circle-help", "In doubt"),
    "waiting.child": Look("quiet", "workflow", "Waiting for its children"),
    "waiting.timer": Look("quiet", "timer", "Waiting for a moment"),
    "waiting.event": Look("quiet", "radio", "Waiting for an event"),
    "waiting.budget": Look("warn", "wallet", "Waiting for money"),
    "waiting.capacity": Look("quiet", "gauge", "Waiting for capacity"),
    "waiting.pause": Look("quiet", "circle-pause", "Paused"),
    "succeeded": Look("ok", "circle-check", "Succeeded"),
    "failed": Look("bad", "circle-x", "Failed"),
    "refused": Look("bad", "shield-x", "Refused"),
    "unknown": Look("warn", "circle-help", "Unknown"),
    "stopped": Look("quiet", "circle-stop", "Stopped"),
    "cancelled": Look("quiet", "circle-stop", "Cancelled"),
    "expired": Look("quiet", "timer-off", "Expired"),
    "degraded": Look("warn", "triangle-alert", "Degraded"),
    # verdicts of rules
    "allow": Look("ok", "shield-check", "Allow"),
    "ask": Look("wait", "hand", "Ask"),
    "deny": Look("bad", "ban", "Deny"),
    # outcomes in the record
    "allowed": Look("ok", "shield-check", "Allowed"),
    "asked": Look("wait", "hand", "Asked"),
    "denied": Look("bad", "shield-x", "Denied"),
    "approved": Look("ok", "circle-check", "Approved"),
    "void": Look("quiet", "ban", "Void"),
    "consumed": Look("ok", "circle-check", "Used"),
    # agents, versions, credentials
    "active": Look("ok", "circle-dot", "Active"),
    "live": Look("ok", "radio", "Live"),
    "draft": Look("quiet", "pencil", "Draft"),
    "paused": Look("quiet", "circle-pause", "Paused"),
    "retired": Look("quiet", "history", "Retired"),
    "disabled": Look("quiet", "ban", "Disabled"),
    "archived": Look("quiet", "history", "Archived"),
    "left": Look("quiet", "log-out", "Left"),
    # sessions, questions, schedules, workers
    "open": Look("ok", "circle-dot", "Open"),
    "closed": Look("quiet", "lock", "Closed"),
    "answered": Look("ok", "circle-check", "Answered"),
    "started": Look("ok", "circle-check", "Started"),
    "skipped": Look("quiet", "circle-dashed", "Left out"),
    "enabled": Look("ok", "circle-dot", "Enabled"),
    "busy": Look("info", "activity", "Busy"),
    "idle": Look("quiet", "circle-dot", "Idle"),
    "draining": Look("warn", "hourglass", "Draining"),
    "silent": Look("bad", "circle-alert", "Silent"),
    "ended": Look("quiet", "circle-check", "Ended"),
    "rehearsal": Look("warn", "flask-conical", "Rehearsal"),
}

RISKS: dict[str, tuple[int, str]] = {
    "low": (1, "quiet"),
    "medium": (2, "warn"),
    "high": (3, "bad"),
    "critical": (4, "bad"),
}


def look(state: object) -> Look:
    """The look of a state; a state that is not in the table is shown grey under its own name."""
    name = str(state)
    return LOOKS.get(name) or Look("quiet", "circle-dashed", name.replace("_", " ").capitalize())


def pill(state: object, word: str = "") -> SafeString:
    """A state as a filled pill, `word` in place of the state's own."""
    shown = look(state)
    spin = "spin" if shown.icon == "loader-circle" else ""
    return format_html('<span class="pill {}">{}{}</span>', shown.tone, icon(shown.icon, spin), word or shown.word)


def state_icon(state: object) -> SafeString:
    """Only the icon, named for readers' software: for the narrow first column of a list."""
    shown = look(state)
    spin = " spin" if shown.icon == "loader-circle" else ""
    return format_html('<span class="tag {}">{}</span>', shown.tone, icon(shown.icon, spin.strip(), label=shown.word))


def outcome(result: object) -> SafeString:
    """An outcome in the record: what went as usual is plain grey text, anything else a pill."""
    if str(result) in {"ok", "succeeded", ""}:
        return SafeString('<span class="t2">OK</span>')
    return pill(result)


def dot(state: object, word: str = "") -> SafeString:
    """A state as a dot and a word."""
    shown = look(state)
    return format_html('<span class="tag {}"><span class="dot"></span>{}</span>', shown.tone, word or shown.word)


def live(word: str = "Live") -> SafeString:
    """The mark of a page that changes by itself."""
    return format_html('<span class="live ok"><span class="dot"></span>{}</span>', word)


def risk(level: object) -> SafeString:
    """Four bars and the word; an unknown level shows as such and never as low."""
    name = str(level)
    filled, tone = RISKS.get(name, (0, "quiet"))
    bars = "".join(
        f'<rect class="{"on" if bar < filled else ""}" x="{bar * 4}" width="3" '
        f'y="{9 - bar * 3}" height="{3 + bar * 3}" rx="1"/>'
        for bar in range(4)
    )
    word = f"{name.capitalize()} risk" if filled else "Risk unknown"
    return format_html(
        '<span class="risk {} {}"><svg viewBox="0 0 15 12" aria-hidden="true">{}</svg>{}</span>',
        tone, "critical" if name == "critical" else "", SafeString(bars), word,
    )  # fmt: skip
