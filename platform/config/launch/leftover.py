"""What an earlier start left behind in the data directory: a server that still lives, or a file that says so."""

import os
import signal
import subprocess
import time
from pathlib import Path

from config.launch.failure import LaunchError

# Each is (signal or none, seconds to wait): a server whose parent died is already on its way out.
PATIENCE = ((None, 5.0), (signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0))


def clear(data: Path) -> None:
    """End a server that survived its parent and remove a stale postmaster.pid; the caller has claimed the directory."""
    file = data / "postmaster.pid"
    pid = _pid_in(file)
    for number, patience in PATIENCE:
        if pid is None or not serves(pid, data):
            break
        if number is not None:
            os.kill(pid, number)
        _wait_until_gone(pid, data, patience)
    if pid is not None and serves(pid, data):
        raise LaunchError(
            f"An earlier Postgres (process {pid}) does not end: stop it with `kill -9 {pid}` and start again."
        )
    # The number may meanwhile belong to another program, which Postgres itself would take for a server.
    file.unlink(missing_ok=True)


def serves(pid: int, data: Path) -> bool:
    """Whether the process lives and is a Postgres server on this directory."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == data.resolve()
        except OSError:
            return False
    command = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return "postgres" in command.stdout and str(data) in command.stdout


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _wait_until_gone(pid: int, data: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while serves(pid, data) and time.monotonic() < deadline:
        time.sleep(0.05)
