"""Settings name the gate, it has the four verbs, and without one nothing runs."""

import inspect
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from agents.gate import Gate, NoGateError, get_gate

VERBS = ("prepare", "assume", "commit", "settle")


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    get_gate.cache_clear()
    yield
    get_gate.cache_clear()


def test_the_gate_is_named():
    assert settings.AGENTS_GATE, "Name the doorkeeper in AGENTS_GATE of config/settings.py: without it nothing runs."


@pytest.mark.parametrize("verb", VERBS)
def test_it_has_the_verbs_of_the_port(verb: str):
    theirs = getattr(type(get_gate()), verb, None)
    assert theirs is not None, f"{settings.AGENTS_GATE} lacks {verb}: write it as agents.gate.Gate says."
    wanted, given = (list(inspect.signature(one).parameters) for one in (getattr(Gate, verb), theirs))
    assert given == wanted, f"{verb} of {settings.AGENTS_GATE} takes {given}: the port says {wanted}."


def test_without_a_gate_nothing_runs():
    with override_settings(AGENTS_GATE=""), pytest.raises(NoGateError):
        get_gate()
