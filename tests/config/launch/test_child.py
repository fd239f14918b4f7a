"""A process that dies with the one that started it, by the parent-death signal and by the watched pipe."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from config.launch import child

PLATFORM = Path(__file__).resolve().parents[3] / "platform"
LINUX = sys.platform.startswith("linux")
ways = pytest.mark.parametrize(
    "watch", [pytest.param(False, marks=pytest.mark.skipif(not LINUX, reason="Linux")), True]
)


def start(command: list[str], output: Path, **options: object) -> "subprocess.Popen[bytes]":
    with output.open("ab") as file:
        return child.start(command, death_signal=signal.SIGTERM, environment=os.environ, output=file, **options)


@ways
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_gets_its_signal_when_the_parent_dies(
    data_dir: Path, watch: bool, number: signal.Signals, wait_until: Callable[..., None], lives: Callable[[int], bool]
) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys
        sys.path.insert(0, sys.argv[1])
        from config.launch import child
        program = "import os, signal, time; print(os.getpid(), flush=True); time.sleep(60)"
        with open(sys.argv[2], "wb") as output:
            child.start([sys.executable, "-c", program], death_signal=signal.SIGTERM, environment=os.environ,
                        output=output, watch=sys.argv[3] == "True")
        print("started", flush=True)
        signal.pause()
        """
    )
    output = data_dir.parent / "output"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(PLATFORM), str(output), str(watch)], stdout=subprocess.PIPE
    )
    wait_until(lambda: output.exists() and output.read_text().strip())
    pid = int(output.read_text())
    assert lives(pid)
    parent.send_signal(number)
    parent.communicate()
    wait_until(lambda: not lives(pid), seconds=5)


@ways
def test_its_exit_code_and_output_come_through(data_dir: Path, watch: bool) -> None:
    output = data_dir.parent / "output"
    process = start([sys.executable, "-c", "print('out'); raise SystemExit(7)"], output, watch=watch)
    assert process.wait(20) == 7
    process.communicate()
    assert output.read_text() == "out\n"


@ways
def test_signals_reach_it(data_dir: Path, watch: bool, wait_until: Callable[..., None]) -> None:
    output = data_dir.parent / "output"
    program = textwrap.dedent(
        """
        import signal, sys
        signal.signal(signal.SIGINT, lambda *_: sys.exit(5))
        print("ready", flush=True)
        while True:
            signal.pause()
        """
    )
    process = start([sys.executable, "-c", program], output, watch=watch)
    wait_until(output.read_text)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 5
    process.communicate()


def test_it_has_a_session_of_its_own_so_that_ctrl_c_reaches_the_parent_alone(data_dir: Path) -> None:
    output = data_dir.parent / "output"
    start([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], output, watch=False).wait(20)
    assert output.read_text() == "True\n"


@pytest.mark.skipif(not LINUX or os.geteuid() != 0, reason="user namespaces are used by root on Linux only")
def test_in_a_user_namespace_it_is_not_root_and_writes_files_of_root(data_dir: Path) -> None:
    output, made = data_dir.parent / "output", data_dir.parent / "made"
    program = f"import os; print(os.geteuid()); open({str(made)!r}, 'w')"
    assert start([sys.executable, "-c", program], output, identity=child.IN_USER_NAMESPACE).wait(20) == 0
    assert output.read_text() == "1000\n"
    assert made.stat().st_uid == 0


def test_a_program_that_does_not_exist_is_an_exit_code(data_dir: Path) -> None:
    output = data_dir.parent / "output"
    assert start(["/no/such/program"], output).wait(20) != 0
    assert "No such file" in output.read_text()
