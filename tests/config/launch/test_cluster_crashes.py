"""The embedded Postgres when somebody is killed."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from config.launch import child, postgres
from config.launch.cluster import Cluster

pytestmark = pytest.mark.slow  # whole processes

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
QUICK = {"fsync": "off"}


def add_row(cluster: Cluster) -> None:
    with psycopg.connect(cluster.superuser_url("remit"), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS thing (id serial)")
        connection.execute("INSERT INTO thing DEFAULT VALUES")


def rows(cluster: Cluster) -> int:
    return int(cluster.execute("SELECT count(*) FROM thing", "remit"))


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])


def test_after_a_killed_server_the_same_port_serves_the_same_rows(cluster: Cluster) -> None:
    cluster.start()
    port = cluster.port
    for number in range(1, 4):
        add_row(cluster)
        assert cluster.process is not None
        cluster.process.kill()
        cluster.process.wait()
        cluster.start()
        assert rows(cluster) == number
    assert cluster.port == port


def test_the_server_goes_with_its_killed_parent(
    data_dir: Path, wait_until: Callable[..., None], lives: Callable[[int], bool]
) -> None:
    script = textwrap.dedent(
        """
        import sys, pathlib, signal
        sys.path.insert(0, sys.argv[1])
        from config.launch.cluster import Cluster
        cluster = Cluster(pathlib.Path(sys.argv[2]), settings={"fsync": "off"})
        cluster.start()
        print("ready", flush=True)
        signal.pause()
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(PLATFORM), str(data_dir)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    server = postmaster(data_dir)
    parent.kill()
    parent.communicate()
    with Cluster(data_dir, settings=QUICK) as again:  # at once: it waits for the earlier one
        assert again.execute("SELECT 1") == "1"
        wait_until(lambda: not lives(server))


def test_a_server_that_outlived_its_parent_is_ended_first(
    data_dir: Path, lives: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster(data_dir, settings=QUICK) as cluster:
        add_row(cluster)
    orphan = start_without_parent(data_dir)
    assert lives(orphan)
    monkeypatch.setattr("config.launch.leftover.PATIENCE", ((None, 0.1), (signal.SIGINT, 20.0)))
    with Cluster(data_dir, settings=QUICK) as again:
        assert not lives(orphan)
        assert rows(again) == 1


def start_without_parent(data_dir: Path) -> int:
    """A server on the directory that knows no death signal, as an orphan of another system would be."""
    binaries = postgres.find_binaries()
    data = data_dir / "postgres"
    identity = postgres.identity_for(data, binaries)
    command = [binaries.path("pg_ctl"), "start", "-w", "-D", str(data), "-o"]
    options = "-c listen_addresses=127.0.0.1 -c port=19999 -c unix_socket_directories=''"
    # pg_ctl's child keeps its output open, so it must not be ours.
    shim = [sys.executable, "-I", "-S", child.__file__, str(os.getpid()), "9", identity, "signal"]
    subprocess.run([*shim, *command, options, "-l", str(data / "orphan.log")], check=True, stdout=subprocess.DEVNULL)
    return postmaster(data_dir)


def test_the_number_of_a_dead_server_may_belong_to_another_program(
    data_dir: Path, lives: Callable[[int], bool]
) -> None:
    with Cluster(data_dir, settings=QUICK) as cluster:
        content = (data_dir / "postgres" / "postmaster.pid").read_text()
        add_row(cluster)
    stranger = subprocess.Popen(["sleep", "300"])
    try:
        lines = [str(stranger.pid), *content.splitlines()[1:]]
        (data_dir / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
        with Cluster(data_dir, settings=QUICK) as again:
            assert rows(again) == 1
        assert lives(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "not a number\n", "999999999\n/nowhere\n"])
def test_a_meaningless_postmaster_file_is_removed(data_dir: Path, content: str) -> None:
    with Cluster(data_dir, settings=QUICK):
        pass
    (data_dir / "postgres" / "postmaster.pid").write_text(content)
    with Cluster(data_dir, settings=QUICK) as again:
        assert again.execute("SELECT 1") == "1"


def test_an_interrupted_first_start_leaves_nothing_in_the_way(data_dir: Path) -> None:
    draft = data_dir / "postgres.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    with Cluster(data_dir, settings=QUICK) as cluster:
        assert cluster.execute("SELECT 1") == "1"
    assert not draft.exists()


def test_another_port_is_taken_when_the_first_choice_is_gone(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.start()
    taken, cluster_port = cluster.port, iter([])
    other = Cluster(cluster.directory.path.parent / "other", settings=QUICK)
    cluster_port = iter([taken, 18_765])
    monkeypatch.setattr("config.launch.ports.choose", lambda: next(cluster_port))
    with other:
        assert other.port == 18_765
