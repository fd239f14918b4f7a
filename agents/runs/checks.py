"""Checks at start-up: timings that fit together, so that a living worker never loses its lease."""

from math import isfinite
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

_BEATS_A_LEASE = 3  # two heartbeats may be lost without losing the lease
_VARIABLES = {  # and what each must be at the least; None: more than zero
    "RUN_LEASE_SECONDS": ("REMIT_RUN_LEASE_SECONDS", None),
    "RUN_HEARTBEAT_SECONDS": ("REMIT_RUN_HEARTBEAT_SECONDS", None),
    "RUN_MODEL_TIMEOUT_SECONDS": ("REMIT_MODEL_TIMEOUT_SECONDS", None),
    "RUN_DRAIN_SECONDS": ("REMIT_RUN_DRAIN_SECONDS", 0),
    "RUN_SLOTS": ("REMIT_RUN_SLOTS", 1),
    "RUN_MAX_CRASHES": ("REMIT_RUN_MAX_CRASHES", 1),
    "RUN_STREAMS": ("REMIT_RUN_STREAMS", 1),
    "REMIT_FIRINGS_DAYS": ("REMIT_FIRINGS_DAYS", 0),
}
_MOST = {"REMIT_FIRINGS_DAYS": 10_000}  # so long ago, there is a date for it


def check_timings(app_configs: Any = None, **_kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    """Each is a number of use, and the lease outlasts three heartbeats."""
    wrong = [problem for name in _VARIABLES if (problem := _problem(name))]
    if wrong:
        return [Error(one, hint="Set it again, or leave it away: docs/runtime.md.", id="runs.E001") for one in wrong]
    lease, beat = settings.RUN_LEASE_SECONDS, settings.RUN_HEARTBEAT_SECONDS
    if lease < _BEATS_A_LEASE * beat:
        message = f"A lease of {lease:g} s does not outlast {_BEATS_A_LEASE} heartbeats of {beat:g} s."
        hint = "Raise REMIT_RUN_LEASE_SECONDS or lower REMIT_RUN_HEARTBEAT_SECONDS."
        return [Error(message, hint=hint, id="runs.E002")]
    return []


def refuse_wrong_timings() -> None:
    """End a process that is about to begin with timings that do not fit. Raises SystemExit with all that is wrong.

    Celery runs Django's checks and does not look at what they say; a web server does not run them.
    """
    if wrong := check_timings():
        raise SystemExit("\n".join(f"{one.msg} {one.hint}" for one in wrong))


def _problem(name: str) -> str:
    variable, least = _VARIABLES[name]
    value = getattr(settings, name)
    if not isfinite(value) or (value <= 0 if least is None else value < least):
        return f"{variable} is {value:g}, and must be {'more than 0' if least is None else f'at least {least}'}."
    if value > (most := _MOST.get(name, value)):
        return f"{variable} is {value:g}, and must be at most {most}."
    return ""
