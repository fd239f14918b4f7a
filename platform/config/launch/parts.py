"""One process under the supervisor: started, written down, stopped, started again when it ends by itself."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from config.launch import child
from config.launch.cluster import Cluster
from config.launch.directory import DataDirectory, write_private

LARGEST_LOG = 10 * 1024 * 1024  # bytes; a larger one is set aside at the next start, and three are kept


class Part(Protocol):
    """What the supervisor needs to know of a process."""

    name: str
    needed_by_all: bool

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def exit_code(self) -> int | None:
        """None while it runs; the number of a signal is negative."""

    def last_words(self) -> str:
        """The last line of its log."""


@dataclass
class PostgresPart:
    """The embedded Postgres; all other parts wait for it."""

    cluster: Cluster
    name: str = "postgres"
    needed_by_all: bool = True

    def start(self) -> None:
        """Serve again on the same port. Raises LaunchError."""
        self.cluster.start()
        if self.cluster.process is not None:
            write_pid(self.cluster.directory, self.name, self.cluster.process.pid)

    def stop(self) -> None:
        self.cluster.stop()
        (self.cluster.directory.run / f"{self.name}.pid").unlink(missing_ok=True)

    def exit_code(self) -> int | None:
        return self.cluster.process.poll() if self.cluster.process else None

    def last_words(self) -> str:
        return _last_line(self.cluster.directory.logs / "postgres.log")


@dataclass
class ProgramPart:
    """A program with a log of its own. `farewell` are the signals that stop it, each with its patience in seconds."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: DataDirectory
    working_directory: Path
    death_signal: signal.Signals = signal.SIGKILL
    farewell: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
    needed_by_all: bool = False
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def log(self) -> Path:
        return self.directory.logs / f"{self.name}.log"

    def start(self) -> None:
        """Start the program; its output is appended to the log. Raises OSError."""
        with self.log.open("ab") as output:
            self.process = child.start(
                self.command,
                death_signal=self.death_signal,
                environment=self.environment,
                output=output,
                directory=self.working_directory,
            )
        write_pid(self.directory, self.name, self.process.pid)

    def stop(self) -> None:
        """Say farewell ever more firmly until the program has ended."""
        for number, patience in self.farewell:
            if self.process is None or self.process.poll() is not None:
                break
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        (self.directory.run / f"{self.name}.pid").unlink(missing_ok=True)

    def run(self) -> int:
        """Start the program and wait for its end. Returns the exit code."""
        self.start()
        try:
            return self.process.wait() if self.process else 1
        finally:
            self.stop()

    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else None

    def last_words(self) -> str:
        return _last_line(self.log)


def write_pid(directory: DataDirectory, name: str, pid: int) -> None:
    """Whole at any instant: whoever looks while a part is started again finds the earlier number or the new one."""
    with suppress(OSError):  # a full disk: the file is a convenience, the process runs
        write_private(directory.run / f"{name}.pid", f"{pid}\n")


def forget_earlier_processes(directory: DataDirectory) -> None:
    """Remove the files of a supervisor that was killed: their numbers may belong to others by now."""
    for file in directory.run.glob("*.pid"):
        file.unlink(missing_ok=True)


def set_large_logs_aside(directory: DataDirectory) -> None:
    for log in directory.logs.glob("*.log"):
        if log.stat().st_size > LARGEST_LOG:
            for older in (2, 1):
                with suppress(FileNotFoundError):
                    log.with_suffix(f".log.{older}").rename(log.with_suffix(f".log.{older + 1}"))
            log.rename(log.with_suffix(".log.1"))


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'it said nothing'} (see {log})"
