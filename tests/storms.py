"""A storm over a house: real workers, each by a way of its own to Postgres, and what goes wrong with all of them.

A file outside the database is the witness of what really happened.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from django.db import Error, connections

from agents.runs.models import ENDED, WORKER_LOCKS, Run, RunState, Step, StepState
from agents.runs.services import resolve_unknown
from agents.runs.tasks import ring
from config.launch.cluster import Cluster
from foundation.errors import ConflictError
from tests.clusters import crash, own_cluster, through
from tests.houses import House, calls, says
from tests.proxies import Proxy
from tests.workers import Worker, superuser

SEED = 20261123
EFFECTS = ["effect", "idempotent", "effect", "idempotent", "effect"]
WORKERS = 3
ROOMY = {"REMIT_RUN_SLOTS": "64"}  # so that no run waits for room: what is measured is how soon one is missed
LEASE = 2.0  # seconds, of the workers of tests


@dataclass
class Storm:
    """The place, and what goes wrong in it; `said` tells what, for whoever reads the outcome."""

    house: House
    cluster: Cluster
    workers: list[Worker]
    proxies: list[Proxy]
    runs: list[Run]
    broker: Callable[[str], None] | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - repeatable on purpose
    said: list[str] = field(default_factory=list)
    stalled: dict[int, float] = field(default_factory=dict)
    calm_since: float = field(default_factory=time.monotonic)
    latest: float = 0.0
    doubts: int = 0
    crashes: int = 0

    def can(self, fault: str) -> bool:
        """One worker is killed at a time: who should miss the runs if nobody lived?"""
        return fault != "kill" or (not self.stalled and self.heard() == len(self.workers))

    def heard(self) -> int:
        """How many workers have said lately that they live, and have not died since; none while Postgres recovers."""
        try:
            with superuser() as database:
                row = database.execute(
                    "SELECT count(*) FROM runs_heartbeat h JOIN pg_locks l ON l.locktype = 'advisory' "
                    "AND l.classid = %s AND l.objid = h.number AND l.granted WHERE h.kind = 'worker' "
                    "AND h.number <> 0 AND h.seen_at > clock_timestamp() - interval '2 s'",
                    [WORKER_LOCKS],
                ).fetchone()
        except psycopg.OperationalError:
            return 0
        return int(row[0]) if row else 0

    def strike(self, fault: str) -> None:
        """Let one thing go wrong."""
        one = self.chance.randrange(len(self.workers))
        self.said.append(f"{fault} {one}")
        if fault == "kill":
            self.workers[one].start()
        elif fault == "crash of postgres":
            crash(self.cluster)
            self.crashes += 1
        elif fault == "cut":
            self.proxies[one].cut()
        elif fault == "stall" and not self.stalled:
            self.proxies[one].stall()
            self.stalled[one] = time.monotonic() + self.chance.uniform(0.5, 1.5) * LEASE
        elif fault == "bells lost":
            self.lose_bells()
        elif fault == "bells rung twice":
            ring(*(run.id for run in self.chance.sample(self.runs, 30) for _ in range(2)))
        elif fault == "loss of the broker" and self.broker is not None:
            self.broker("restart")
        self.calm_since = time.monotonic()

    def lose_bells(self) -> None:
        """All messages of the queue are gone."""
        if self.broker is not None:
            self.broker("purge")
            return
        with superuser() as database:
            # A bell that a stalled worker has in its hand is not waited for: who should let it go on meanwhile?
            database.execute(
                "DELETE FROM pgmq.q_remit WHERE msg_id IN (SELECT msg_id FROM pgmq.q_remit FOR UPDATE SKIP LOCKED)"
            )

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
    monkeypatch: pytest.MonkeyPatch, make_house: Callable[..., House], folder: Path, *, runs: int,
    workers: Sequence[Mapping[str, str]] = (ROOMY,) * WORKERS, broker: Callable[[str], None] | None = None,
) -> Iterator[Storm]:  # fmt: skip
    """A house on a Postgres of its own with so many runs, and workers with what is added to their environment."""
    with own_cluster(monkeypatch, {"max_connections": "300"}) as cluster, ExitStack() as stack:
        house = make_house(budget=10**12)
        wishes = [calls(f"witness.{effect}", note=str(turn)) for turn, effect in enumerate(EFFECTS)]
        house.model.answers = {"worker": [*wishes, says("Done.")]}
        assert cluster.port is not None
        proxies = [stack.enter_context(Proxy(cluster.port)) for _ in workers]
        made = []
        for number, (proxy, added) in enumerate(zip(proxies, workers, strict=True)):
            place = folder / f"worker-{number}"
            place.mkdir()
            way = through(cluster.environment(), "127.0.0.1", proxy.port)
            made.append(Worker(place, house.model.url.split("/")[2], **(way | dict(added))))
        begun = [house.start(f"run {number}") for number in range(runs)]
        for worker in made:
            stack.callback(worker.kill)
            worker.start()
        yield Storm(house, cluster, made, proxies, begun, broker)


def live_through(place: Storm, faults: Mapping[str, int], seconds: float) -> None:
    """Each fault strikes when so many effects have happened, so that all of them meet work; then all is well.

    While none of those to come can strike (a killed worker begins anew), the model keeps the runs waiting.
    """
    began, coming = time.monotonic(), [fault for fault, count in faults.items() for _ in range(count)]
    model = place.house.model
    place.chance.shuffle(coming)
    moments = [(one + 1) * len(place.runs) * len(EFFECTS) // (len(coming) + 1) for one in range(len(coming))]
    while _is_unfinished(place, began + seconds):
        if moments and len(place.house.lines()) >= moments[0]:
            possible = [fault for fault in coming if place.can(fault)]
            if not possible:
                model.answering.clear()
            elif not model.answering.is_set():
                # The next look finds work going on.
                model.answering.set()
            else:
                moments.pop(0)
                # Kills first: they are possible the least often.
                fault = next((one for one in possible if one == "kill"), possible[0])
                coming.remove(fault)
                place.strike(fault)
        place.relent()
        time.sleep(0.1)
    print(f"\nseed {SEED}: {len(place.runs)} runs through {len(place.said)} faults of {sum(faults.values())} in "
          f"{time.monotonic() - began:.0f} s; "
          f"{place.doubts} doubts resolved; a lease was overdue for {place.latest:.1f} s at most; "
          f"{place.said}")  # fmt: skip
    check_the_journals(place)
    check_the_witness(place)
    check_the_server(place)


def _is_unfinished(place: Storm, deadline: float) -> bool:
    try:
        unfinished = place.open_runs()
        place.judge()
        place.watch()
    except (Error, psycopg.Error):
        connections.close_all()
        return True
    assert not unfinished or time.monotonic() < deadline, (
        Counter((run.state, run.waits_for) for run in unfinished), place.said,
        *(worker.log.read_text()[-3000:] for worker in place.workers),
    )  # fmt: skip
    return bool(unfinished)


def check_the_journals(place: Storm) -> None:
    """Every run has ended well, with every step, once."""
    for run in place.runs:
        now, steps = place.house.read(run), place.house.steps(run)
        assert now.state == RunState.SUCCEEDED, (now.state, now.failure)
        done = [step for step in steps if step.kind == "tool_call"]
        assert [step.name for step in done] == [f"witness.{effect}" for effect in EFFECTS]
        assert {step.state for step in done} == {StepState.SUCCEEDED}, [(step.state, step.error) for step in done]
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
    assert len(keys) == len(place.runs) * len(EFFECTS)


def check_the_server(place: Storm) -> None:
    """Postgres has crashed as often as it was made to, and never by itself."""
    lines = (place.cluster.directory.logs / "postgres.log").read_text().splitlines()
    # An immediate stop kills, with signal 9, what does not end by itself in time.
    assert [line for line in lines if "was terminated by signal" in line and "signal 9" not in line] == []
    assert len([line for line in lines if "was not properly shut down" in line]) == place.crashes
