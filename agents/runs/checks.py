"""Checks at start-up: timings that fit together, so that a living worker never loses its lease."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

_BEATS_A_LEASE = 3  # two heartbeats may be lost without losing the lease


def check_timings(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001 - Django's signature
    """The lease must outlast three heartbeats, and every timing must be positive."""
    lease, beat = settings.RUN_LEASE_SECONDS, settings.RUN_HEARTBEAT_SECONDS
    if min(lease, beat, settings.RUN_MODEL_TIMEOUT_SECONDS) <= 0:
        message = "The timings of runs must be more than zero seconds."
        return [Error(message, hint="Set REMIT_RUN_LEASE_SECONDS and its like again.", id="runs.E001")]
    if lease < _BEATS_A_LEASE * beat:
        message = f"A lease of {lease:g} s does not outlast {_BEATS_A_LEASE} heartbeats of {beat:g} s."
        hint = "Raise REMIT_RUN_LEASE_SECONDS or lower REMIT_RUN_HEARTBEAT_SECONDS."
        return [Error(message, hint=hint, id="runs.E002")]
    return []
