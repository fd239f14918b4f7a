"""`up` as a whole, with real Postgres, supervisor, signals and kills, and tiny programs in place of Django."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from config.launch import commands, health
from config.launch.cluster import Cluster
from config.launch.directory import DataDirectory
from tests.workers import until

pytestmark = pytest.mark.slow  # whole processes

PARTS = ["postgres", "web", "worker", "scheduler"]


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def test_it_starts_in_order_and_greets(small_remit: Any) -> None:
    process = small_remit.up()
    lines = [process.stdout.readline() for _ in range(2)]
    assert f"http://127.0.0.1:{small_remit.port}" in lines[0]
    assert lines[1] == "Sign in once with: http://127.0.0.1/sign-in/link/once/\n"
    # Only the web process is waited for; the others say a moment later that they have begun.
    until(lambda: len(small_remit.lines()) == 6, 30, small_remit.lines)
    told = small_remit.lines()
    assert told[:2] == ["migrate --database owner --no-input", "seed_sample"]
    greeting = "sign_in_link --first-administrator"
    assert sorted(told[2:]) == [greeting, "start scheduler", "start web", "start worker"]
    assert told.index("start web") < told.index(greeting)
    assert health.ask(small_remit.port, "/healthz")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_everything_in_order(
    small_remit: Any, number: signal.Signals, lives: Callable[[int], bool]
) -> None:
    process = small_remit.ready()
    deadline = time.monotonic() + 30
    while not {f"start {name}" for name in ("web", "worker", "scheduler")} <= set(small_remit.lines()):
        assert time.monotonic() < deadline, small_remit.lines()
        time.sleep(0.05)
    pids = [small_remit.pid(name) for name in PARTS]
    code, output, errors = end(process, number)
    assert (code, output, errors) == (0, "Stopping.\n", "")
    assert small_remit.lines()[-3:] == ["end scheduler", "end worker", "end web"]
    assert not [pid for pid in pids if lives(pid)]
    assert not list((small_remit.data / "run").glob("*.pid"))
    assert not (small_remit.data / "run" / "environment.json").exists()
    assert "database system is shut down" in (small_remit.data / "logs" / "postgres.log").read_text()


def test_numbers_of_earlier_processes_are_forgotten(small_remit: Any) -> None:
    small_remit.ready("--no-sample").kill()
    small_remit.running.pop().communicate()
    assert small_remit.pid("web")
    process = small_remit.up("--no-sample", FAILING="migrate")
    process.communicate(timeout=60)
    assert not list((small_remit.data / "run").glob("*.pid"))


def test_without_the_sample_nothing_of_it_is_started(small_remit: Any) -> None:
    small_remit.ready("--no-sample")
    assert "seed_sample" not in small_remit.lines()
    environment = json.loads((small_remit.data / "run" / "environment.json").read_text())["environment"]
    assert "REMIT_REHEARSAL_URL" not in environment


def test_the_environment_is_for_us_alone_and_lets_other_commands_find_the_database(
    small_remit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_remit.ready()
    file = small_remit.data / "run" / "environment.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for name in json.loads(file.read_text())["environment"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REMIT_PUBLIC_URL", "https://remit.example")
    monkeypatch.setitem(os.environ, "REMIT_DATA_DIR", str(small_remit.data))
    with monkeypatch.context() as own:
        own.setattr(os, "environ", os.environ.copy())
        commands._borrow_environment(small_remit.root)
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("remit_serving",)
        assert os.environ["REMIT_PUBLIC_URL"] == "https://remit.example"


def test_the_environment_of_a_dead_up_is_not_used(small_remit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process = small_remit.ready()
    process.kill()
    process.communicate()
    assert (small_remit.data / "run" / "environment.json").exists()
    with monkeypatch.context() as own:
        own.setattr(os, "environ", os.environ | {"REMIT_DATA_DIR": str(small_remit.data)})
        commands._borrow_environment(small_remit.root)
        assert "DATABASE_URL" not in os.environ


def test_the_rehearsal_keeps_its_port_and_the_operators_addresses_are_kept(small_remit: Any) -> None:
    found = []
    for _ in range(2):
        process = small_remit.up(REMIT_OUTBOUND_ALLOW="10.0.0.1:443")
        while not process.stdout.readline().startswith("Sign in"):
            pass
        environment = json.loads((small_remit.data / "run" / "environment.json").read_text())["environment"]
        found.append((environment["REMIT_OUTBOUND_ALLOW"], environment["REMIT_REHEARSAL_URL"]))
        end(process)
    allowed, url = found[0]
    assert found[1] == found[0]
    assert allowed == f"10.0.0.1:443,{url.removeprefix('http://').removesuffix('/v1')}"


def test_the_local_model_is_offered_after_the_seed_and_keeps_its_port(small_remit: Any) -> None:
    found = []
    for _ in range(2):
        process = small_remit.up("--local-model")
        lines = [process.stdout.readline() for _ in range(3)]
        environment = json.loads((small_remit.data / "run" / "environment.json").read_text())["environment"]
        found.append((environment["REMIT_LOCAL_MODEL_URL"], environment["REMIT_OUTBOUND_ALLOW"]))
        assert lines[1] == f"The local model answers at {found[-1][0]} (docs/models.md)\n"
        end(process)
    assert small_remit.lines()[1:3] == ["seed_sample", "offer_local_model"]
    url, allowed = found[0]
    assert found[1] == found[0]
    assert len({*allowed.split(",")}) == 2
    assert url.removeprefix("http://").removesuffix("/v1") in allowed.split(",")


def test_without_the_sample_the_local_model_is_started_alone(small_remit: Any) -> None:
    small_remit.ready("--no-sample", "--local-model")
    environment = json.loads((small_remit.data / "run" / "environment.json").read_text())["environment"]
    assert "REMIT_REHEARSAL_URL" not in environment
    assert f"http://{environment['REMIT_OUTBOUND_ALLOW']}/v1" == environment["REMIT_LOCAL_MODEL_URL"]


@pytest.mark.parametrize("name", PARTS)
def test_every_killed_part_comes_back(
    small_remit: Any, name: str, wait_until: Callable[..., None], lives: Callable[[int], bool]
) -> None:
    process = small_remit.ready()
    for _ in range(2):
        before = small_remit.pid(name)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda before=before: small_remit.pid(name) != before and lives(small_remit.pid(name)))
    wait_until(lambda: health.ask(small_remit.port, "/healthz")[0] == 200)
    url = json.loads((small_remit.data / "run" / "environment.json").read_text())["environment"]["DATABASE_URL"]
    psycopg.connect(url).close()
    code, output, errors = end(process)
    assert (code, errors) == (0, "")
    assert output.count(f"{name} ended (signal SIGKILL) and is started again.") == 2


def test_a_killed_supervisor_takes_all_with_it_and_the_next_up_starts_at_once(
    small_remit: Any, wait_until: Callable[..., None], lives: Callable[[int], bool]
) -> None:
    for _ in range(3):
        process = small_remit.ready()
        pids = [small_remit.pid(name) for name in PARTS]
        process.kill()
        process.communicate()
    small_remit.ready()
    wait_until(lambda: not [pid for pid in pids if lives(pid)])


def test_on_a_disk_that_fills_it_waits_for_space_and_keeps_every_row(
    small_remit: Any, wait_until: Callable[..., None]
) -> None:
    disk = small_remit.data
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        process = small_remit.ready()
        url = json.loads((disk / "run" / "environment.json").read_text())["environment"]["DATABASE_OWNER_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE thing (number int, body text)")
            with (disk / "ballast").open("wb") as ballast:
                ballast.write(bytes(shutil.disk_usage(disk).free - 20 * 1024 * 1024))
            written = fill_until_refused(connection)
        assert written
        (disk / "ballast").unlink()
        wait_until(lambda: count(url) == written, seconds=60)
        code, _output, errors = end(process)
        assert (code, errors) == (0, "")
    finally:
        small_remit.end_all()
        subprocess.run(["umount", str(disk)], check=True)


def fill_until_refused(connection: psycopg.Connection[Any]) -> int:
    """The number of rows that were acknowledged before the disk was full."""
    statement = "INSERT INTO thing SELECT %s, string_agg(md5(random()::text), '') FROM generate_series(1, 20000)"
    for number in range(1000):
        try:
            connection.execute(statement, [number])
        except psycopg.Error:
            return number
    return 0


def count(url: str) -> int | None:
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM thing").fetchone()
    except psycopg.OperationalError:
        return None
    return int(row[0]) if row else None


def test_a_used_port_is_refused_and_nothing_is_started(small_remit: Any) -> None:
    with socket.create_server(("127.0.0.1", small_remit.port)):
        process = small_remit.up()
        output, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert output == ""
    assert errors.strip() == (
        f"Port {small_remit.port} on 127.0.0.1 is in use: end what occupies it, or choose another with --port."
    )
    assert not small_remit.told.exists()
    assert not (small_remit.data / "postgres").exists()


def test_a_second_up_on_the_same_directory_is_refused_and_the_first_goes_on(small_remit: Any) -> None:
    small_remit.ready()
    second = small_remit.up()
    output, errors = second.communicate(timeout=60)
    assert second.returncode != 0
    assert output == ""
    assert errors.count("\n") == 1
    assert "is in use by another `up`" in errors
    assert (small_remit.data / "run" / "environment.json").exists()
    assert health.ask(small_remit.port, "/healthz")[0] == 200


@pytest.mark.parametrize("command", ["migrate", "seed_sample"])
def test_a_command_that_fails_stops_the_start_in_one_line(small_remit: Any, command: str) -> None:
    process = small_remit.up(FAILING=command)
    output, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert output == ""
    assert errors.count("\n") == 1
    assert "failed with exit code 1: OperationalError: it does not work (see " in errors
    assert not DataDirectory(small_remit.data).in_use()


def test_a_part_that_cannot_start_stops_the_start_in_one_line(small_remit: Any) -> None:
    process = small_remit.up(FAILING="web")
    output, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert output.count("web ended (exit code 1) and is started again.") >= 4
    assert errors.count("\n") == 1
    assert "web keeps ending at the start: ImportError: it does not work (see " in errors
    assert not DataDirectory(small_remit.data).in_use()


def test_with_a_database_of_the_operators_no_postgres_is_started(small_remit: Any) -> None:
    with Cluster(small_remit.root / "own", settings={"fsync": "off"}) as own:
        process = small_remit.up(**own.environment())
        while not process.stdout.readline().startswith("Sign in"):
            pass
        assert not (small_remit.data / "postgres").exists()
        assert end(process)[0] == 0


def test_a_database_of_the_operators_needs_a_broker_too(small_remit: Any) -> None:
    process = small_remit.up(DATABASE_URL="postgresql://nobody@127.0.0.1/remit")
    _, errors = process.communicate(timeout=60)
    assert "BROKER_URL must be set too" in errors
