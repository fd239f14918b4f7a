"""Sessions, runs, and their journal. The whole state of every agent's work is in these rows."""

from agents.runs.models.artifacts import Artifact, Blob
from agents.runs.models.events import Event
from agents.runs.models.journal import Step, StepKind, StepState
from agents.runs.models.processes import WORKER_LOCKS, Heartbeat
from agents.runs.models.runs import ENDED, LARGE_IN_RUNS, Relation, Run, RunState, Wait
from agents.runs.models.sessions import Session, SessionState, Summary
from agents.runs.models.waits import Callback, InputRequest, InputState

__all__ = [
    "ENDED", "LARGE_IN_RUNS", "WORKER_LOCKS", "Artifact", "Blob", "Callback", "Event", "Heartbeat", "InputRequest",
    "InputState", "Relation", "Run", "RunState", "Session", "SessionState", "Step", "StepKind", "StepState", "Summary",
    "Wait",
]  # fmt: skip
