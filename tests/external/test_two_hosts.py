"""Workers on several hosts need only Postgres and the broker: shown with a network namespace of its own for one."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agents.runs.models import StepState
from config.launch.cluster import Cluster
from tests.barriers import Barrier, Call
from tests.clusters import own_cluster, through
from tests.hosts import Host, other_host
from tests.houses import House
from tests.proxies import Proxy
from tests.workers import Worker, superuser, until

pytestmark = [pytest.mark.slow, pytest.mark.external(programs=("ip",))]

RUNS = 40
EFFECTS = ["effect", "idempotent", "effect"]
SLOTS = 4  # runs at a time, of each worker
_TRY = """
import json, socket, sys
def answers(port):
    try:
        socket.create_connection((sys.argv[1], port), timeout=2).close()
        return True
    except OSError:
        return False
print(json.dumps([port for port in json.loads(sys.argv[2]) if answers(port)]))
"""


@dataclass
class Hosts:
    """A house, a worker here and one there."""

    house: House
    cluster: Cluster
    there: Host
    near: Worker
    far: Worker
    barrier: Barrier

    def at_work(self, worker: Worker) -> list[Call]:
        """The calls that this worker has in flight, kept so by the barrier."""
        return self.barrier.halted(worker.process.pid if worker.process else 0)

    def standing(self) -> object:
        """For whoever wonders why it takes so long."""
        with superuser() as database:
            rows = database.execute("SELECT state, waits_for, worker, count(*) FROM runs_run GROUP BY 1, 2, 3")
            return rows.fetchall(), self.near.log.read_text()[-2000:], self.far.log.read_text()[-4000:]


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch, make_house: Any, say: Any, call: Any, tmp_path: Path) -> Iterator[Hosts]:
    """Postgres, which is also the broker, listens on this machine's end of the cable; the worker there sees no more."""
    with other_host() as there, own_cluster(monkeypatch, {"listen_addresses": f"127.0.0.1,{there.gateway}"}) as cluster:
        with (cluster.directory.postgres / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {there.address}/32 scram-sha-256\n")
        cluster.execute("SELECT pg_reload_conf()")
        house = make_house(budget=10**12)
        house.model.answers = {"worker": [
            *(call(f"witness.{effect}", note=str(turn)) for turn, effect in enumerate(EFFECTS)), say("Done."),
        ]}  # fmt: skip
        allowed = house.model.url.split("/")[2]
        port = int(allowed.rpartition(":")[2])
        assert cluster.port is not None
        workers = []
        for name, way in (("near", {}), ("far", through(cluster.environment(), there.gateway, cluster.port))):
            (tmp_path / name).mkdir()
            workers.append(Worker(tmp_path / name, allowed, REMIT_RUN_SLOTS=str(SLOTS), **way))
        near, far = workers
        far.command = there.inside(*far.command)
        # Each host has a model on its own loopback.
        with Proxy(port, there.listen(port)), Barrier(house.witness) as barrier:
            yield Hosts(house, cluster, there, near, far, barrier)
            for worker in workers:
                worker.kill()


def listening() -> list[int]:
    """The TCP ports on which anything listens on this machine."""
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()]
    return sorted({int(line[1].rpartition(":")[2], 16) for line in lines if len(line) > 3 and line[3] == "0A"})


def test_only_postgres_and_the_broker_are_reachable(hosts: Hosts) -> None:
    ports = listening()
    reached = json.loads(hosts.there.run(sys.executable, "-c", _TRY, hosts.there.gateway, json.dumps(ports)))
    # Whatever listens on all addresses of this machine would answer too; nothing of ours does.
    assert hosts.cluster.port in reached
    assert int(hosts.house.model.url.split("/")[2].rpartition(":")[2]) not in reached
    assert hosts.there.run("ip", "route").split()[0].startswith(hosts.there.gateway.rpartition(".")[0])
    assert "default" not in hosts.there.run("ip", "route")


def test_two_hosts_share_the_runs_and_survive_the_loss_of_one(hosts: Hosts) -> None:
    house = hosts.house
    hosts.near.start()
    hosts.far.start()
    with superuser() as database:
        until(lambda: len(database.execute("SELECT FROM runs_heartbeat WHERE kind = 'worker'").fetchall()) == 2, 40,
              hosts.standing)  # fmt: skip
        hosts.barrier.close_at(RUNS)
        runs = [house.start(f"run {number}") for number in range(RUNS)]
        until(lambda: hosts.at_work(hosts.near) and hosts.at_work(hosts.far), 60, hosts.standing)
        workers = database.execute("SELECT worker, count(*) FROM runs_run WHERE worker <> '' GROUP BY 1").fetchall()
    print(f"\nwhen a third was done: {workers}")
    assert len(workers) == 2, "both take part"
    # The cable is pulled while the worker there is at work; what it holds is taken over.
    hosts.there.pull()
    cut_off = hosts.at_work(hosts.far)
    hosts.barrier.open()
    pulled = time.monotonic()
    until(lambda: all(house.is_over(run) or house.read(run).waits_for == "person" for run in runs), 60, hosts.standing)
    print(f"all ended or in doubt {time.monotonic() - pulled:.1f} s after the cable was pulled")
    hosts.there.plug()
    check(hosts, runs, cut_off)


def check(hosts: Hosts, runs: list[Any], cut_off: Sequence[Call]) -> None:
    """The worker that comes back changes nothing; the effects that it had begun are in doubt, others few."""
    house = hosts.house
    unknown = {step.idempotency_key for run in runs for step in house.steps(run) if step.state == StepState.UNKNOWN}
    assert cut_off, "it had calls in flight"
    assert {call.key for call in cut_off if call.effect == "effect"} <= unknown
    before = {run.id: (house.read(run).state, house.read(run).fence) for run in runs}
    late = house.start("late")
    until(lambda: house.is_over(late), 30, hosts.standing)
    assert {run.id: (house.read(run).state, house.read(run).fence) for run in runs} == before
    keys = [key for effect, key, _ in house.lines() if effect == "effect"]
    assert len(keys) == len(set(keys))
    doubtful = [run for run in runs if not house.is_over(run)]
    assert len(doubtful) <= SLOTS, "no more than the worker there had slots"
    ended = [run for run in runs if house.is_over(run)]
    assert {house.read(run).state for run in ended} == {"succeeded"}
