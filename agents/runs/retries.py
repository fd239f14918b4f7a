"""When what failed is tried again, for each kind of step; each try is an act of its own, with its own decision.

* A **model call** is tried again when the endpoint was away, broke off, or answered 408, 409, 429 or 5xx: 4 tries.
  When it says itself how long it is busy (429 or 503 with Retry-After), the run waits that long (`busy_for`), and that
  does not count as a try: only the run's time limit ends it.
* A **reading** tool whose outcome nobody knows is called again at once-ish: 4 tries, then it counts as failed.
* An **idempotent** tool is called again with the same key, and longer: 6 tries, then a person decides.
* A tool with an **effect** is never called again by itself, and a built-in never needs it: it is done or not with its
  journal.

Pauses grow by a factor, and up to a quarter more at random keeps runs that failed together from coming back together.
"""

import random
from dataclasses import dataclass

from agents.catalogue.inference import InferenceError
from agents.runs.models import StepKind, Wait
from agents.tools.port import ToolEffect

LONGEST_BUSY = 3_600.0  # seconds that an endpoint's own word is taken for
_HELD, _LONGEST_HELD = 8.0, 300.0  # seconds


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`tries` in all; seconds before the second, how they grow from one to the next, and up to where."""

    tries: int
    first: float
    factor: float
    longest: float

    def delay_before(self, attempt: int) -> float | None:
        """Seconds to wait before an attempt (counted from 1); None: no more."""
        if attempt > self.tries:
            return None
        pause = min(self.first * self.factor ** (attempt - 2), self.longest)
        return pause * (1 + random.random() / 4)  # noqa: S311 - spreads load, guards nothing


MODEL_CALL = RetryPolicy(tries=4, first=1.0, factor=4.0, longest=60.0)
READ = RetryPolicy(tries=4, first=0.5, factor=4.0, longest=30.0)
IDEMPOTENT = RetryPolicy(tries=6, first=1.0, factor=4.0, longest=300.0)
NEVER = RetryPolicy(tries=1, first=0.0, factor=1.0, longest=0.0)


def policy_of(kind: str, effect: str) -> RetryPolicy:
    """The policy of a step, by its kind and what its tool does to the world."""
    if kind == StepKind.MODEL_CALL:
        return MODEL_CALL
    return {ToolEffect.READ.value: READ, ToolEffect.IDEMPOTENT.value: IDEMPOTENT}.get(effect, NEVER)


def busy_for(said: float) -> float:
    """How long a run waits for an endpoint that says that it is busy for so many seconds."""
    return min(max(said, 1.0), LONGEST_BUSY) * (1 + random.random() / 4)  # noqa: S311 - spreads load, guards nothing


def again_after(attempt: int, error: InferenceError) -> tuple[Wait, float] | None:
    """For what, and how many seconds, the next call of a model waits after this attempt; None: there is no next."""
    if error.busy is not None:
        return Wait.CAPACITY, busy_for(error.busy)
    pause = MODEL_CALL.delay_before(attempt + 1) if error.again else None
    return None if pause is None else (Wait.TIMER, pause)


def held_for(waited: float) -> float:
    """How long a run waits for money that calls in flight hold, if it has waited for so many seconds already.

    Nobody says so when such a call does not need it all. So it looks again, half as long after as it has waited: what
    a thousand such runs cost becomes less and less, and none waits much longer than it had to.
    """
    return busy_for(min(max(_HELD, waited / 2), _LONGEST_HELD))
