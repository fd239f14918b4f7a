"""The loads: how many runs at once, in how many processes, and how a run goes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """A run of so many tool calls, so many in each of the model's answers; `counted` of its steps are counted.

    `steps_a_gap`: how many steps lie between one call of the tool and the next.
    """

    calls: int
    at_a_time: int
    counted: int
    steps_a_gap: int

    @property
    def journaled(self) -> int:
        """Steps in the journal: the tool's calls, the model's answers that ask for them, and its last word."""
        return self.calls + self.calls // self.at_a_time + 1

    def as_json(self) -> dict[str, int]:
        """What the model must know."""
        return {"calls": self.calls, "at_a_time": self.at_a_time}


@dataclass(frozen=True, slots=True)
class Load:
    """So many runs at once, shared by so many processes."""

    at_once: int
    processes: int
    shape: Shape


# As the peers' workflows of ten steps: the model calls are done, and not counted.
CALLS = Shape(calls=10, at_a_time=10, counted=10, steps_a_gap=1)
# As the peers' agent loop: six model calls and five tool calls, all counted.
LOOP = Shape(calls=5, at_a_time=1, counted=11, steps_a_gap=2)

LOADS = {
    "1": Load(1, 1, CALLS),
    "16": Load(16, 1, CALLS),
    "64": Load(64, 1, CALLS),
    "64/2": Load(64, 2, CALLS),
    "loop/1": Load(1, 1, LOOP),
    "loop/16": Load(16, 1, LOOP),
    "loop/64": Load(64, 1, LOOP),
}
USUAL = ("1", "16", "64", "64/2")
