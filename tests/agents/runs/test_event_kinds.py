"""Every event that the engine or a service writes is one that a browser listens for."""

import re
from pathlib import Path

from agents import runs
from agents.runs.event_kinds import EVENT_KINDS
from agents.runs.models import ENDED, StepState

WRITTEN = re.compile(r"""(?:\.event\(|tell\([^,]+, |kind=)"((?:run|step)\.[a-z_]+)\"""")


def test_no_event_is_unheard():
    sources = [path.read_text() for folder in runs.__path__ for path in Path(folder).rglob("*.py")]
    written = {kind for source in sources for kind in WRITTEN.findall(source)}
    assert {"run.queued", "run.pausing", "step.repeated"} <= written
    assert written <= set(EVENT_KINDS)
    assert {f"run.{state}" for state in ENDED} | {f"step.{state}" for state in StepState} <= set(EVENT_KINDS)
