"""The supervisor: order, restarts, patience. Its parts are real processes of a line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.launch import supervisor as supervision
from config.launch.directory import DataDirectory
from config.launch.failure import LaunchError
from config.launch.parts import LARGEST_LOG, ProgramPart, set_large_logs_aside
from config.launch.supervisor import StopRequested, Supervisor, stopping_on_signals

STAYS = "import signal\nwhile True: signal.pause()"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\n" + STAYS


@pytest.fixture
def directory(data_dir: Path) -> Iterator[DataDirectory]:
    made = DataDirectory(data_dir)
    made.claim()
    yield made
    made.release()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(say=said.append)
    yield made
    made.stop()


@pytest.fixture
def part(directory: DataDirectory) -> Callable[..., ProgramPart]:
    def make(name: str, program: str = STAYS) -> ProgramPart:
        return ProgramPart(name, [sys.executable, "-c", program], os.environ, directory, directory.path)

    return make


def test_a_killed_part_is_started_again_at_once_and_the_operator_told(
    supervisor: Supervisor, part: Callable[..., ProgramPart], said: list[str], directory: DataDirectory
) -> None:
    worker = part("worker")
    supervisor.add(worker)
    assert worker.process is not None
    first = worker.process.pid
    worker.process.kill()
    worker.process.wait()
    supervisor.look()
    assert worker.process.pid != first
    assert worker.exit_code() is None
    assert (directory.run / "worker.pid").read_text() == f"{worker.process.pid}\n"
    assert said == ["worker ended (signal SIGKILL) and is started again."]


@pytest.mark.slow
def test_the_pauses_grow_while_it_keeps_ending(
    supervisor: Supervisor, part: Callable[..., ProgramPart], said: list[str]
) -> None:
    supervisor.add(part("worker", "raise SystemExit(3)"))
    until = time.monotonic() + 3
    while time.monotonic() < until:
        supervisor.look()
        time.sleep(0.02)
    assert 2 <= len(said) <= 4
    assert said[0] == "worker ended (exit code 3) and is started again."


def test_it_gives_up_when_a_part_keeps_ending_at_the_start(
    supervisor: Supervisor, part: Callable[..., ProgramPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 0.1)
    supervisor.add(part("web", "raise SystemExit('ImportError: no module named so')"))
    with pytest.raises(LaunchError, match=r"web keeps ending at the start: ImportError: no module named so \(see "):
        supervisor.wait_until(lambda: False, seconds=30, otherwise=lambda: "too late")


def test_it_gives_up_when_the_start_takes_too_long(supervisor: Supervisor, part: Callable[..., ProgramPart]) -> None:
    supervisor.add(part("web"))
    with pytest.raises(LaunchError, match="too late"):
        supervisor.wait_until(lambda: False, seconds=0.3, otherwise=lambda: "too late")


def test_while_the_part_that_all_need_is_away_nothing_else_is_started(
    supervisor: Supervisor, part: Callable[..., ProgramPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, worker = part("postgres"), part("worker")
    database.needed_by_all = True
    supervisor.add(database)
    supervisor.add(worker)
    start = database.start

    def refuse() -> None:
        raise LaunchError("the disk is full")

    monkeypatch.setattr(database, "start", refuse)
    for process in (database.process, worker.process):
        assert process is not None
        process.kill()
        process.wait()
    for _ in range(3):
        supervisor.look()
    assert worker.exit_code() == -signal.SIGKILL
    monkeypatch.setattr(database, "start", start)
    supervisor.wait_until(
        lambda: database.exit_code() is None and worker.exit_code() is None, seconds=20, otherwise=str
    )


def test_parts_stop_in_the_opposite_order(
    supervisor: Supervisor, part: Callable[..., ProgramPart], directory: DataDirectory
) -> None:
    told = directory.path / "told"
    program = (
        "import os, signal, sys\n"
        "def end(*_):\n"
        f"    open({str(told)!r}, 'a').write({{name!r}} + '\\n'); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\n" + STAYS
    )
    names = ["web", "worker", "scheduler"]
    for name in names:
        made = part(name, program.format(name=name) if "{name" in program else program)
        supervisor.add(made)
        supervisor.wait_until(lambda made=made: made.log.read_text(), seconds=20, otherwise=str)
    supervisor.stop()
    assert told.read_text().split() == ["scheduler", "worker", "web"]
    assert not list(directory.run.glob("*.pid"))


def test_a_part_that_does_not_listen_is_killed_in_the_end(
    supervisor: Supervisor, part: Callable[..., ProgramPart]
) -> None:
    deaf = part("worker", STUBBORN)
    deaf.farewell = ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
    supervisor.add(deaf)
    supervisor.wait_until(deaf.log.read_text, seconds=20, otherwise=str)
    supervisor.stop()
    assert deaf.exit_code() == -signal.SIGKILL


def test_a_command_runs_to_its_end_and_its_last_words_are_known(part: Callable[..., ProgramPart]) -> None:
    command = part("migrate", "print('one'); raise SystemExit('two')")
    assert command.run() == 1
    assert command.last_words() == f"two (see {command.log})"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_and_the_second_does_not_disturb(number: signal.Signals) -> None:
    before = signal.signal(number, signal.default_int_handler)
    try:
        with stopping_on_signals():
            with pytest.raises(StopRequested):
                signal.raise_signal(number)
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_on_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_large_logs_are_set_aside_and_three_kept(directory: DataDirectory) -> None:
    for generation in "abcde":
        with (directory.logs / "web.log").open("w") as log:
            log.write(generation)
            log.truncate(LARGEST_LOG + 1)
        set_large_logs_aside(directory)
    (directory.logs / "web.log").write_text("small")
    set_large_logs_aside(directory)
    found = {path.name: path.read_text()[0] for path in directory.logs.glob("web.log*")}
    assert found == {"web.log": "s", "web.log.1": "e", "web.log.2": "d", "web.log.3": "c"}


def test_output_of_earlier_starts_is_kept(part: Callable[..., ProgramPart]) -> None:
    for word in ("one", "two"):
        part("worker", f"print({word!r})").run()
    assert subprocess.run(["cat", part("worker").log], capture_output=True, text=True).stdout == "one\ntwo\n"
