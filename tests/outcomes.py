"""What came of the runs of a storm: their journals, what the witness saw, and how Postgres fared."""

from collections import Counter
from collections.abc import Sequence

from agents.runs.models import Run, RunState, StepState
from config.launch.cluster import Cluster
from tests.houses import House

EFFECTS = ["effect", "idempotent", "effect", "idempotent", "effect"]


def check_the_journals(house: House, runs: Sequence[Run]) -> None:
    """Every run has ended well, with every step, once."""
    for run in runs:
        now, steps = house.read(run), house.steps(run)
        assert now.state == RunState.SUCCEEDED, (now.state, now.failure)
        done = [step for step in steps if step.kind == "tool_call"]
        assert [step.name for step in done] == [f"witness.{effect}" for effect in EFFECTS]
        assert {step.state for step in done} == {StepState.SUCCEEDED}, [(step.state, step.error) for step in done]
        assert [step.number for step in steps] == list(range(1, len(steps) + 1))
        assert house.events(run)[-1] == "run.succeeded"


def check_the_witness(house: House, runs: Sequence[Run]) -> None:
    """What really happened: each effect once, and what is repeated carries the same key."""
    lines = house.lines()
    keys = {}
    for run in runs:
        done = [step for step in house.steps(run) if step.kind == "tool_call"]
        for turn, (step, effect) in enumerate(zip(done, EFFECTS, strict=True)):
            keys[step.idempotency_key] = (effect, str(turn))
    assert {key: (effect, note) for effect, key, note in lines} == keys, "what the journal says, and nothing else"
    counted = Counter((effect, key) for effect, key, _ in lines)
    assert [key for (effect, key), count in counted.items() if effect == "effect" and count > 1] == []
    assert [key for (effect, key), count in counted.items() if count > 1] != [], "some were repeated, with their key"
    assert len(keys) == len(runs) * len(EFFECTS)


def check_the_server(cluster: Cluster, crashes: int) -> None:
    """Postgres has crashed as often as it was made to, and never by itself."""
    lines = (cluster.directory.logs / "postgres.log").read_text().splitlines()
    # An immediate stop kills, with signal 9, what does not end by itself in time.
    assert [line for line in lines if "was terminated by signal" in line and "signal 9" not in line] == []
    assert len([line for line in lines if "was not properly shut down" in line]) == crashes
