"""A storm over a house: real workers, each by a way of its own to Postgres, and what goes wrong with all of them.

A file outside the database is the witness of what really happened. Each fault strikes while calls are in flight: the
storm keeps them at a barrier, their intents in the journal and no outcome, until the fault has struck.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.db import Error, connections

from agents.runs.models import ENDED, WORKER_LOCKS, Run, RunState, Step, StepState
from agents.runs.services import resolve_unknown
from agents.runs.tasks import advance_run
from config.launch.cluster import Cluster
from foundation.errors import ConflictError
from tests.barriers import Barrier, Call
from tests.bells import Bells, EmbeddedBells, unheard
from tests.clusters import crash, own_cluster, ring_anew, ringing, through
from tests.houses import House, calls, says
from tests.outcomes import EFFECTS, check_the_journals, check_the_server, check_the_witness
from tests.proxies import Proxy
from tests.watches import Watch
from tests.workers import Worker, superuser

SEED = 20261123
WORKERS = 3
# Each worker has room for all runs, so that none waits for room: what is measured is how soon a run is missed. A worker
# that was cut off is busy with its calls in flight, while another has taken over all of their runs.
ROOMY = {"REMIT_RUN_SLOTS": "160"}
LEASE = 2.0  # seconds, of the workers of tests
LATE = 10  # runs that begin while bells are being lost
_FEW, _MOST = 3, 8  # calls in flight at a worker that is struck
_PASSING = 8  # effects that happen around a fault, so that it meets commits and calls of models too
_SPENT = 24  # effects that happen in all between the moment that a fault waits for and its end, most of them on the way

_HOLDERS = """
SELECT worker, state, count(*), min(lease_until - clock_timestamp())::text, max(lease_until - clock_timestamp())::text
FROM runs_run WHERE ended_at IS NULL GROUP BY 1, 2
"""
_LIVING = """
SELECT name, kind, number, (clock_timestamp() - seen_at)::text, busy, slots, draining FROM runs_heartbeat
"""
_SESSIONS = """
SELECT pid, application_name, state, wait_event_type, wait_event, (clock_timestamp() - state_change)::text,
    pg_blocking_pids(pid), left(query, 200)
FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()
ORDER BY state_change
"""


@dataclass(frozen=True)
class Struck:
    """A fault that has happened: to which worker, so many calls in flight there, so many things that it broke."""

    fault: str
    worker: int
    in_flight: int
    broken: int
    at: float

    def __str__(self) -> str:
        return f"{self.at:.0f} s: {self.fault} {self.worker} ({self.in_flight} in flight, {self.broken} struck)"


@dataclass
class Storm:
    """The place, and what goes wrong in it; `struck` tells what, for whoever reads the outcome."""

    house: House
    cluster: Cluster
    workers: list[Worker]
    proxies: list[Proxy]
    runs: list[Run]
    bells: Bells
    barrier: Barrier
    watch: Watch
    seed: int
    struck: list[Struck] = field(default_factory=list)
    doubted: dict[str, float] = field(default_factory=dict)
    doubts: int = 0
    crashes: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - repeatable on purpose
        self.began, self.began_at = time.monotonic(), time.time()

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

    def victim(self, fault: str) -> int | None:
        """A worker that the fault can strike now, calls of which halt at the barrier; None if there is none yet.

        One worker at a time is killed or stalled: who should miss the runs if nobody lived?
        """
        is_grave = fault in {"kill", "stall"}
        if is_grave and not (all(one.flows for one in self.proxies) and self.heard() == len(self.workers)):
            return None
        if fault == "loss of the broker" and not any(one.connections for one in self.bells.ways):
            return None
        few = min(_FEW, max(1, len(self.open_runs()) // len(self.workers)))
        able = [one for one in range(len(self.workers)) if len(self.intended(one)) >= few]
        if fault == "cut":
            able = [one for one in able if self.proxies[one].flows and self.proxies[one].connections]
        return self.chance.choice(able) if able else None

    def intended(self, worker: int) -> list[Call]:
        """Calls of a worker that halt at the barrier; the journal has their intent, and no outcome."""
        process = self.workers[worker].process
        halted = self.barrier.halted(process.pid if process else 0)
        with superuser() as database:
            rows = database.execute(
                "SELECT idempotency_key FROM runs_step WHERE state = 'intended' AND idempotency_key = ANY(%s)",
                [[call.key for call in halted]],
            ).fetchall()
        keys = {key for (key,) in rows}
        return [call for call in halted if call.key in keys]

    def strike_first(self, coming: list[str]) -> bool:
        """Strike with the first of these faults that can, and take it away; whether one could."""
        for place, fault in enumerate(coming):
            worker = self.victim(fault)
            # Meanwhile another worker may have taken over what was in flight.
            if worker is not None and (in_flight := self.intended(worker)):
                self.strike(coming.pop(place), worker, in_flight)
                return True
        return False

    def strike(self, fault: str, worker: int, in_flight: Sequence[Call]) -> None:
        """Let one thing go wrong in the midst of the work: some calls are kept in flight, while others pass."""
        # Before and after their line, of either kind: whatever there is.
        pinned = sorted(in_flight, key=lambda call: (call.at, call.effect))
        pinned = pinned[:: max(1, len(pinned) // _MOST)]
        self.barrier.pin(pinned, _PASSING)
        enough = len(self.barrier.written) + self.chance.randrange(_PASSING)
        self.barrier.wait_for(lambda: len(self.barrier.written) >= enough, 0.3)
        broken = {
            "kill": self._kill, "crash of postgres": self._crash, "cut": self._cut, "stall": self._stall,
            "bells lost": self._lose_bells, "bells rung twice": self._ring_twice, "loss of the broker": self._break,
        }[fault](worker, pinned)  # fmt: skip
        halted = set(self.barrier.halted()) | set(self.barrier.lost)
        kept = sum(call in halted for call in pinned)
        self.struck.append(Struck(fault, worker, kept, broken, time.monotonic() - self.began))
        self.barrier.open()

    def _kill(self, worker: int, pinned: Sequence[Call]) -> int:
        """How many calls never ended."""
        self.workers[worker].kill()
        self.barrier.wait_for(lambda: set(pinned) <= set(self.barrier.lost), 5)
        self.workers[worker].start()
        return len(set(pinned) & set(self.barrier.lost))

    def _crash(self, _: int, pinned: Sequence[Call]) -> int:
        """How many calls were in flight all the while."""
        self.watch.postgres_is_away()
        crash(self.cluster)
        self.watch.postgres_serves()
        self.crashes += 1
        return len(set(pinned) & set(self.barrier.halted()))

    def _cut(self, worker: int, _: Sequence[Call]) -> int:
        """How many connections broke."""
        return self.proxies[worker].cut() + self.bells.ways[worker].cut()

    def _stall(self, worker: int, _: Sequence[Call]) -> int:
        """How many connections hang."""
        seconds = self.chance.uniform(0.5, 1.5) * LEASE
        self.proxies[worker].stall(seconds)
        self.bells.ways[worker].stall(seconds)
        return self.proxies[worker].connections

    def _lose_bells(self, *_: object) -> int:
        """How many runs have begun whose bell nobody has heard."""
        with unheard(self.bells):
            late = [self.house.start(f"late run {len(self.runs) + number}") for number in range(LATE)]
            lost = self.bells.lose()
        self.runs += late
        return len(lost & {run.id for run in late})

    def _ring_twice(self, _: int, pinned: Sequence[Call]) -> int:
        """How many runs in the midst of a call were rung for twice more; workers have heard it."""
        runs = {run_of(call) for call in pinned}
        for run in [*runs, *runs]:
            advance_run.delay(str(run))
        self.until(lambda: not self.bells.unread(), 30)
        return len(runs)

    def _break(self, *_: object) -> int:
        """How many connections to the broker broke."""
        while not (broken := self.bells.fall()):
            # Just then nobody was connected.
            self.until(lambda: any(one.connections for one in self.bells.ways), 30)
        ring_anew()
        return broken

    def until(self, condition: Callable[[], object], seconds: float, sign: Callable[[], bool] = lambda: False) -> None:
        """Go on until something holds; `sign` is what the barrier sees of it, lest it be missed for a moment."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.standing()
            self.look()
            self.barrier.wait_for(sign, 0.1)

    def look(self) -> None:
        """Judge, if Postgres serves."""
        try:
            self.judge()
        except (Error, psycopg.Error):
            connections.close_all()

    def open_runs(self) -> list[Run]:
        """Those that have not ended."""
        with self.house.in_tenant():
            return list(Run.objects.exclude(state__in=ENDED))

    def judge(self) -> None:
        """The person in charge looks at what is in doubt, in the file, and says what happened.

        First it waits for as long as the call may still be under way: while it is seen to be, and for the time of a
        lease, after which no worker begins it on the strength of its commit.
        """
        with self.house.in_tenant():
            doubtful = list(Run.objects.filter(state=RunState.WAITING, waits_for="person"))
            steps = list(Step.objects.filter(run_id__in=[run.id for run in doubtful], state=StepState.UNKNOWN))
        runs = {run.id: run for run in doubtful}
        under_way = self.barrier.in_flight()
        # What is in doubt is not kept in flight: the person would wait for the call, and the call for the next fault.
        self.barrier.let_pass({step.idempotency_key for step in steps} & under_way)
        seen = {key for _, key, _ in self.house.lines()}
        for step in steps:
            since = self.doubted.setdefault(f"{step.idempotency_key} {step.attempt}", time.monotonic())
            if step.idempotency_key in under_way or time.monotonic() < since + LEASE:
                continue
            outcome = "done" if step.idempotency_key in seen else "retry"
            try:
                with self.house.in_tenant():
                    resolve_unknown(actor=self.house.owner, run=runs[step.run_id], number=step.number, outcome=outcome,
                                    evidence="The file says so.")  # fmt: skip
            except ConflictError:
                continue
            self.doubts += 1

    def standing(self) -> str:
        """For whoever wonders why it goes no further."""
        states = Counter((run.state, run.waits_for) for run in self.open_runs())
        halted = len(self.barrier.halted())
        ways = [(one.flows, one.connections) for one in (*self.proxies, *self.bells.ways)]
        # A machine that was put to sleep and woken tells other times than it has lived through.
        slept = time.time() - self.began_at - (time.monotonic() - self.began)
        seen = f"{self.heard()} heard, ways {ways}, clocks apart by {slept:.1f} s"
        words = "\n".join([*_at_postgres(), *(worker.last_words() for worker in self.workers)])
        return f"{states}, {halted} halted, {seen}, {[str(one) for one in self.struck]}\n{words}"


def _at_postgres() -> list[str]:
    """Who has the runs, who lives, and what sessions wait for."""
    try:
        with superuser() as database:
            return [str(row) for one in (_HOLDERS, _LIVING, _SESSIONS) for row in database.execute(one).fetchall()]
    except psycopg.Error as error:
        return [f"Postgres says: {error}"]


def run_of(call: Call) -> UUID:
    """The run whose call it is, as its key says: `remit-<run>-<step>`."""
    return UUID(call.key.removeprefix("remit-").rpartition("-")[0])


@contextmanager
def storm(
    monkeypatch: pytest.MonkeyPatch, make_house: Callable[..., House], folder: Path, *, runs: int,
    workers: Sequence[Mapping[str, str]] = (ROOMY,) * WORKERS, bells: Bells | None = None, seed: int = SEED,
) -> Iterator[Storm]:  # fmt: skip
    """A house on a Postgres of its own with so many runs, and workers with what is added to their environment."""
    with own_cluster(monkeypatch, {"max_connections": "300"}) as cluster, ExitStack() as stack:
        if bells is not None and bells.address is not None:
            stack.enter_context(ringing(bells.address, {}))
        house = make_house(budget=10**12)
        barrier = stack.enter_context(Barrier(house.witness))
        wishes = [calls(f"witness.{effect}", note=str(turn)) for turn, effect in enumerate(EFFECTS)]
        house.model.answers = {"worker": [*wishes, says("Done.")]}
        assert cluster.port is not None
        proxies = [stack.enter_context(Proxy(cluster.port)) for _ in workers]
        bells = bells or EmbeddedBells([stack.enter_context(Proxy(cluster.port)) for _ in workers])
        made = []
        for number, (proxy, added) in enumerate(zip(proxies, workers, strict=True)):
            place = folder / f"worker-{number}"
            place.mkdir()
            way = through(cluster.environment(), "127.0.0.1", proxy.port)
            broker = through({"BROKER_URL": bells.address or way["BROKER_URL"]}, "127.0.0.1", bells.ways[number].port)
            made.append(Worker(place, house.model.url.split("/")[2], **(way | broker | dict(added))))
        for worker in made:
            stack.callback(worker.kill)
            worker.start()
        watch = stack.enter_context(Watch())
        place = Storm(house, cluster, made, proxies, [], bells, barrier, watch, seed)
        # Else the first one would take them all.
        place.until(lambda: place.heard() == len(made), 90)
        # On a busy machine most would have ended before the last had begun, and nothing be left to strike.
        barrier.close()
        place.runs = [house.start(f"run {number}") for number in range(runs)]
        yield place


def live_through(place: Storm, faults: Mapping[str, int], seconds: float) -> None:
    """The faults strike in an order of chance, evenly over what there is to do; then all is well.

    When it is time for one, everything halts until the next that can strike does: its worker is there, and has work.
    """
    coming = [fault for fault, count in faults.items() for _ in range(count)]
    place.chance.shuffle(coming)
    barrier, planned, deadline = place.barrier, Counter(coming), time.monotonic() + seconds
    while coming:
        done = len(barrier.written)
        free = len(place.runs) * len(EFFECTS) - done - len(coming) * _SPENT
        barrier.pin((), max(0, free) // (len(coming) + 1))
        place.until(lambda: barrier.is_closed, deadline - time.monotonic(), lambda: barrier.is_closed)
        place.until(lambda: place.strike_first(coming), deadline - time.monotonic())
    place.until(lambda: _has_ended(place), deadline - time.monotonic())
    print(f"\nseed {place.seed}: {len(place.runs)} runs through {len(place.struck)} faults of {planned.total()} in "
          f"{time.monotonic() - place.began:.0f} s; "
          f"{place.doubts} doubts resolved; a lease was overdue for {place.watch.latest:.1f} s at most "
          f"(seconds since the beginning and of delay: {place.watch.moments}); "
          f"{'; '.join(map(str, place.struck))}")  # fmt: skip
    assert Counter(one.fault for one in place.struck) == planned
    assert [one for one in place.struck if not (one.in_flight and one.broken)] == [], "each met work in flight"
    check_the_journals(place.house, place.runs)
    check_the_witness(place.house, place.runs)
    check_the_server(place.cluster, place.crashes)


def _has_ended(place: Storm) -> bool:
    try:
        return not place.open_runs()
    except (Error, psycopg.Error):
        connections.close_all()
        return False
