"""150 runs of five effects each, while workers are killed, Postgres crashes, connections are cut and stall, bells are
lost and rung twice: every run ends, no step is missing, no effect is repeated; a file outside is the witness.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, connections

from agents.runs.models import ENDED, Run, RunState, Step, StepState
from agents.runs.services import resolve_unknown
from agents.runs.tasks import ring
from config.launch.cluster import Cluster
from foundation.errors import ConflictError
from tests.clusters import crash, own_cluster, through
from tests.houses import House
from tests.proxies import Proxy
from tests.workers import Worker, superuser

pytestmark = pytest.mark.slow

SEED = 20261123
RUNS = 150
EFFECTS = ["effect", "idempotent", "effect", "idempotent", "effect"]
WORKERS = 3
LEASE = 2.0  # seconds, of the workers of tests
PATIENCE = 240.0  # seconds
FAULTS = {"kill": 5, "crash of postgres": 2, "cut": 4, "stall": 3, "bells lost": 3, "bells rung twice": 3}


@dataclass
class Storm:
    """The place, and what goes wrong in it; `said` tells what, for whoever reads the outcome."""

    house: House
    cluster: Cluster
    workers: list[Worker]
    proxies: list[Proxy]
    runs: list[Run]
    chance: random.Random
    said: list[str] = field(default_factory=list)
    stalled: dict[int, float] = field(default_factory=dict)
    calm_since: float = 0.0
    latest: float = 0.0
    doubts: int = 0

    def strike(self, fault: str) -> None:
        """Let one thing go wrong."""
        one = self.chance.randrange(WORKERS)
        self.said.append(f"{fault} {one}")
        if fault == "kill":
            self.workers[one].start()
        elif fault == "crash of postgres":
            crash(self.cluster)
        elif fault == "cut":
            self.proxies[one].cut()
        elif fault == "stall" and not self.stalled:
            self.proxies[one].stall()
            self.stalled[one] = time.monotonic() + self.chance.uniform(0.5, 1.5) * LEASE
        elif fault == "bells lost":
            with superuser() as database:
                database.execute("DELETE FROM pgmq.q_remit")
        elif fault == "bells rung twice":
            ring(*(run.id for run in self.runs for _ in range(2)))
        self.calm_since = time.monotonic()

    def relent(self) -> None:
        """Connections that have stalled for long enough go on."""
        for one, until in list(self.stalled.items()):
            if time.monotonic() > until:
                self.proxies[one].flow()
                del self.stalled[one]
                self.calm_since = time.monotonic()

    def open_runs(self) -> list[Run]:
        """Those that have not ended."""
        with self.house.in_tenant():
            return list(Run.objects.exclude(state__in=ENDED))

    def judge(self) -> None:
        """The person in charge looks at what is in doubt, in the file, and says what happened."""
        with self.house.in_tenant():
            doubtful = list(Run.objects.filter(state=RunState.WAITING, waits_for="person"))
            steps = list(Step.objects.filter(run_id__in=[run.id for run in doubtful], state=StepState.UNKNOWN))
        runs = {run.id: run for run in doubtful}
        seen = {key for _, key, _ in self.house.lines()}
        for step in steps:
            outcome = "done" if step.idempotency_key in seen else "retry"
            try:
                with self.house.in_tenant():
                    resolve_unknown(actor=self.house.owner, run=runs[step.run_id], number=step.number, outcome=outcome,
                                    evidence="The file says so.")  # fmt: skip
            except ConflictError:
                continue
            self.doubts += 1

    def watch(self) -> None:
        """How long a run is without a worker although its lease has run out, and nothing is wrong meanwhile."""
        with superuser() as database:
            row = database.execute(
                "SELECT extract(epoch FROM clock_timestamp() - min(lease_until))::float8 FROM runs_run "
                "WHERE state = 'running' AND lease_until < clock_timestamp()"
            ).fetchone()
        overdue = row[0] if row and row[0] else 0.0
        self.latest = max(self.latest, min(overdue, time.monotonic() - self.calm_since))


@contextmanager
def storm(
    monkeypatch: pytest.MonkeyPatch, make_house: Callable[..., House], folder: Path, answers: list[Any]
) -> Iterator[Storm]:
    """A house on a Postgres of its own, and workers that reach it each by a way of its own."""
    with own_cluster(monkeypatch, {"max_connections": "300"}) as cluster, ExitStack() as stack:
        house = make_house(budget=10**12)
        house.model.answers = {"worker": answers}
        assert cluster.port is not None
        proxies = [stack.enter_context(Proxy(cluster.port)) for _ in range(WORKERS)]
        workers = []
        for number, proxy in enumerate(proxies):
            place = folder / f"worker-{number}"
            place.mkdir()
            way = through(cluster.environment(), "127.0.0.1", proxy.port)
            workers.append(Worker(place, house.model.url.split("/")[2], **way))
        runs = [house.start(f"run {number}") for number in range(RUNS)]
        for worker in workers:
            stack.callback(worker.kill)
            worker.start()
        # Repeatable on purpose.
        yield Storm(house, cluster, workers, proxies, runs, random.Random(SEED), calm_since=time.monotonic())  # noqa: S311


def test_whatever_goes_wrong_every_run_ends_and_no_effect_is_repeated(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, say: Any, call: Any, tmp_path: Path
) -> None:
    answers = [*(call(f"witness.{effect}", note=str(turn)) for turn, effect in enumerate(EFFECTS)), say("Done.")]
    with storm(monkeypatch, make_house, tmp_path, answers) as place:
        began = time.monotonic()
        live_through(place, began + PATIENCE)
        print(f"\nseed {SEED}: {RUNS} runs through {len(place.said)} faults in {time.monotonic() - began:.0f} s; "
              f"{place.doubts} doubts resolved; a lease was overdue for {place.latest:.1f} s at most; "
              f"{place.said}")  # fmt: skip
        check_the_journals(place)
        check_the_witness(place)
        assert place.latest <= LEASE


def live_through(place: Storm, deadline: float) -> None:
    """Each fault strikes when so many effects have happened, so that all of them meet work."""
    faults = [fault for fault, count in FAULTS.items() for _ in range(count)]
    place.chance.shuffle(faults)
    moments = [(number + 1) * RUNS * len(EFFECTS) // (len(faults) + 1) for number in range(len(faults))]
    while True:
        try:
            unfinished = place.open_runs()
            place.judge()
            place.watch()
        except Error:
            connections.close_all()
            continue
        place.relent()
        if not unfinished:
            return
        if moments and len(place.house.lines()) >= moments[0]:
            moments.pop(0)
            place.strike(faults.pop(0))
        assert time.monotonic() < deadline, (
            Counter((run.state, run.waits_for) for run in unfinished), place.said,
            *(worker.log.read_text()[-3000:] for worker in place.workers),
        )  # fmt: skip
        time.sleep(0.1)


def check_the_journals(place: Storm) -> None:
    """Every run has ended well, with every step, once."""
    for run in place.runs:
        now, steps = place.house.read(run), place.house.steps(run)
        assert now.state == RunState.SUCCEEDED, (now.state, now.failure)
        done = [step for step in steps if step.kind == "tool_call"]
        assert [step.name for step in done] == [f"witness.{effect}" for effect in EFFECTS]
        assert {step.state for step in done} == {StepState.SUCCEEDED}
        assert [step.number for step in steps] == list(range(1, len(steps) + 1))
        assert place.house.events(run)[-1] == "run.succeeded"


def check_the_witness(place: Storm) -> None:
    """What really happened: each effect once, and what is repeated carries the same key."""
    lines = place.house.lines()
    keys = {}
    for run in place.runs:
        done = [step for step in place.house.steps(run) if step.kind == "tool_call"]
        for turn, (step, effect) in enumerate(zip(done, EFFECTS, strict=True)):
            keys[step.idempotency_key] = (effect, str(turn))
    assert {key: (effect, note) for effect, key, note in lines} == keys, "what the journal says, and nothing else"
    counted = Counter((effect, key) for effect, key, _ in lines)
    assert [key for (effect, key), count in counted.items() if effect == "effect" and count > 1] == []
    assert len(keys) == RUNS * len(EFFECTS)
