"""What waits costs nothing but its row: no worker slot, no connection, no measurable CPU; and when many wake at once,
each is served in its turn, and so is whoever comes meanwhile.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.launch.cluster import Cluster
from tests.clusters import own_cluster
from tests.houses import House
from tests.workers import Worker, running, superuser, until

pytestmark = pytest.mark.slow

MANY = 10_000
WOKEN = 1_000
WINDOW = 6.0  # seconds over which CPU is measured
SLIGHT = 0.03  # of one core; what two windows of an idle worker differ by
_TICKS = os.sysconf("SC_CLK_TCK")

# A session each, as in life, and every reason to wait. What a run waits on need not be there: nobody looks at it.
_SESSIONS = """
INSERT INTO runs_session SELECT (copy).* FROM (
    SELECT jsonb_populate_record(one, jsonb_build_object('id', uuidv7())) AS copy
    FROM runs_session one, generate_series(1, %(count)s) WHERE one.id = %(session)s) made
"""
_RUNS = """
WITH places AS (
    SELECT id, row_number() OVER () AS place, uuidv7() AS run FROM runs_session
    WHERE NOT EXISTS (SELECT FROM runs_run WHERE session_id = runs_session.id)
)
INSERT INTO runs_run SELECT (copy).* FROM (
    SELECT jsonb_populate_record(one, '{"started_at": null, "ended_at": null, "output": null, "admitted": false,
            "fence": 0, "steps_written": 0, "events_written": 1, "cost": 0, "lease_until": null}'
        || jsonb_build_object('id', places.run, 'root_id', places.run, 'session_id', places.id, 'state', 'waiting',
            'title', 'waits ' || place, 'waits_on', gen_random_uuid(),
            'waits_for', (ARRAY['timer', 'approval', 'child', 'person', 'input', 'event', 'budget', 'capacity',
                'pause'])[1 + (place %% 9)::int],
            'wake_at', CASE WHEN place %% 9 IN (0, 6, 7) THEN clock_timestamp() + interval '30 days' END,
            'deadline', clock_timestamp() + interval '60 days')) AS copy
    FROM runs_run one, places WHERE one.id = %(run)s) made
"""
_EVENTS = """
INSERT INTO runs_event (run_id, number, organisation_id, kind, data, at)
SELECT id, 1, organisation_id, 'run.queued', '{}', clock_timestamp() FROM runs_run WHERE state = 'waiting'
"""
_WAKE = """
UPDATE runs_run SET waits_for = 'timer', wake_at = clock_timestamp(), created_at = clock_timestamp(), title = 'woken'
WHERE id IN (SELECT id FROM runs_run WHERE state = 'waiting' ORDER BY id LIMIT %s)
"""
_READ = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'runs_run'"
_LONGEST = "SELECT extract(epoch FROM max(started_at - created_at))::float8 FROM runs_run WHERE title LIKE '{}%'"


def make_waiting(house: House, count: int) -> None:
    """So many runs that wait for all that a run may wait for."""
    run = house.start("the pattern")
    values = {"count": count, "session": run.session_id, "run": run.id}
    with superuser() as database, database.transaction():
        database.execute(_SESSIONS, values)
        database.execute(_RUNS, values)
        database.execute(_EVENTS)
    with superuser() as database:
        # What autovacuum would do in the midst of the measurement.
        database.execute("VACUUM (ANALYZE) runs_run, runs_session, runs_event")
        assert database.execute("SELECT count(*) FROM runs_run WHERE state = 'waiting'").fetchone() == (count,)


def cpu_seconds(group: int, postmaster: int) -> float:
    """What a worker's process group and a Postgres server with all its processes, also the ended ones, have used."""
    total = 0
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split() if folder.name.isdigit() else []
        except OSError:
            continue
        if fields and (int(fields[2]) == group or postmaster in (int(folder.name), int(fields[1]))):
            # utime, stime, and of the server's own also those of the children that it has collected
            total += sum(map(int, fields[11 : 15 if int(folder.name) == postmaster else 13]))
    return total / _TICKS


@dataclass
class Place:
    """A house on a server of its own, with one worker."""

    house: House
    cluster: Cluster
    worker: Worker

    def ask(self, question: str) -> Any:
        """One value."""
        with superuser() as database:
            row = database.execute(question.encode()).fetchone()
            return row[0] if row else None

    def load(self) -> float:
        """The share of one core that worker and server use while nothing happens."""
        assert self.worker.process is not None
        assert self.cluster.process is not None
        pids, began = (self.worker.process.pid, self.cluster.process.pid), time.monotonic()
        before = cpu_seconds(*pids)
        until(lambda: time.monotonic() > began + WINDOW, WINDOW + 5, lambda: "the clock")
        return (cpu_seconds(*pids) - before) / (time.monotonic() - began)

    def backends(self) -> int:
        """How many connections the product holds."""
        return int(self.ask("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'remit%'"))

    def served(self) -> float:
        """How long a fresh run takes from its start to its end, in seconds."""
        began = time.monotonic()
        run = self.house.start("fresh")
        until(lambda: self.house.is_over(run), 60, self.standing)
        return time.monotonic() - began

    def standing(self) -> object:
        """For whoever wonders why it takes so long."""
        with superuser() as database:
            rows = database.execute("SELECT state, waits_for, count(*) FROM runs_run GROUP BY 1, 2").fetchall()
        return rows, self.worker.log.read_text()[-3000:]


@contextmanager
def at_work(
    monkeypatch: pytest.MonkeyPatch, make_house: Callable[..., House], folder: Path, answers: list[Any]
) -> Iterator[Place]:
    with own_cluster(monkeypatch, {"autovacuum": "off"}) as cluster:
        house = make_house(budget=10**12)
        house.model.answers = {"worker": answers}
        with running(Worker(folder, house.model.url.split("/")[2])) as worker:
            place = Place(house, cluster, worker)
            place.served()
            yield place


def test_ten_thousand_that_wait_cost_nothing(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, say: Any, tmp_path: Path
) -> None:
    with at_work(monkeypatch, make_house, tmp_path, [say("Done.")]) as place:
        alone, connections, quick = place.load(), place.backends(), min(place.served() for _ in range(3))
        make_waiting(place.house, MANY)
        read = place.ask(_READ)
        among, held = place.load(), place.backends()
        read, answered = place.ask(_READ) - read, min(place.served() for _ in range(3))
        print(f"\nload of one core: {alone:.3f} with none, {among:.3f} with {MANY} waiting; "
              f"connections {connections}, {held}; {read} rows of runs read meanwhile; "
              f"a fresh run took {quick:.2f} s, {answered:.2f} s")  # fmt: skip
        assert among - alone < SLIGHT
        assert read < MANY / 10, "nobody walks through those that wait"
        assert held <= connections + 1
        assert answered < quick + 0.5, "a slot is free at once"
        assert place.ask("SELECT count(*) FROM runs_run WHERE state = 'waiting'") == MANY
        # Once the worker has said how it is after the last run that it served.
        until(lambda: place.ask("SELECT coalesce(max(busy), 0) FROM runs_heartbeat WHERE kind = 'worker'") == 0, 5,
              lambda: "a slot is taken")  # fmt: skip


def test_a_thousand_that_wake_at_once_are_all_served_and_so_is_who_comes(
    monkeypatch: pytest.MonkeyPatch, make_house: Any, say: Any, tmp_path: Path
) -> None:
    with at_work(monkeypatch, make_house, tmp_path, [say("Done.")]) as place:
        make_waiting(place.house, MANY)
        with superuser() as database:
            database.execute(_WAKE, [WOKEN])
        came = []
        began = time.monotonic()
        while place.ask("SELECT count(*) FROM runs_run WHERE title = 'woken' AND ended_at IS NULL"):
            assert time.monotonic() < began + 170, place.standing()
            if len(came) < 20:
                came.append(place.house.start(f"came {len(came)}"))
            time.sleep(0.5)
        total = time.monotonic() - began
        until(lambda: all(map(place.house.is_over, came)), total, place.standing)
        longest, late = place.ask(_LONGEST.format("woken")), place.ask(_LONGEST.format("came"))
        print(f"\n{WOKEN} woken at once: {total:.1f} s; the last one waited {longest:.1f} s for its first act, "
              f"who came meanwhile {late:.1f} s at most")  # fmt: skip
        assert longest <= total
        assert late <= total, "who comes waits for those before, and for no more"
        assert place.ask("SELECT count(*) FROM runs_run WHERE title = 'woken' AND state <> 'succeeded'") == 0
        assert place.ask("SELECT count(*) FROM runs_run WHERE state = 'waiting'") == MANY - WOKEN
