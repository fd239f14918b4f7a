"""The embedded Postgres: one server in a data directory, on 127.0.0.1 only, that dies with whoever started it."""

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from config.launch import child, initialise, leftover, ports, postgres
from config.launch.directory import DataDirectory
from config.launch.failure import LaunchError

_STATUS_LINE = 7  # the last one of postmaster.pid (PostgreSQL, utils/pidfile.h)
_PORT = "postgres.port"
_PORT_PATIENCE = 3.0  # seconds in which a server that was killed gives its port back
READY_WITHIN = 600.0  # seconds; recovery after a crash may have much to read
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and details of errors hold values of the tenants.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class Cluster:
    """A Postgres server in `<data_dir>/postgres`, with Remit's roles and the database `remit`.

    `settings` are Postgres' own and override ours; `fsync=off` also makes the first start quick (tests). Start it from
    the main thread. All methods raise LaunchError.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.directory = DataDirectory(Path(data_dir))
        self.settings = _SETTINGS | dict(settings or {})
        self.port: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._passwords: dict[str, str] = {}

    def start(self) -> None:
        """Serve, after making the directory where there is none. A second call, after a crash, keeps the port."""
        self.directory.claim()
        data, durable = self.directory.postgres, self.settings.get("fsync", "on") != "off"
        binaries = postgres.find_binaries()
        try:
            self._passwords, changed = initialise.passwords(self.directory)
            if not data.exists():
                initialise.make(self.directory, binaries, self._passwords, durable=durable)
                changed = False
            _refuse_other_versions(data, binaries.major)
            leftover.clear(data)
            identity = postgres.identity_for(data, binaries)
            if changed:
                initialise.set_up_roles(data, binaries, identity, self._passwords, durable=durable)
            self._serve(binaries, identity)
        except OSError as error:
            if postgres.DISK_FULL in str(error):
                raise postgres.disk_full(self.directory.path) from error
            raise LaunchError(f"Postgres could not be started in {self.directory.path}: {error}") from error

    def stop(self) -> None:
        """Stop in order, releasing the directory; quick, as open sessions are ended."""
        process, self.process = self.process, None
        for number, patience in ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            if process is None or process.poll() is not None:
                break
            process.send_signal(number)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self.directory.release()

    def environment(self, database: str = initialise.DATABASE) -> dict[str, str]:
        """The addresses of the four database roles and of the broker."""
        roles = {"URL": "serving", "OWNER_URL": "owner", "ENGINE_URL": "engine", "SYSTEM_URL": "system"}
        addresses = {f"DATABASE_{name}": self._url(f"remit_{role}", database) for name, role in roles.items()}
        return addresses | {"BROKER_URL": self._url("remit_broker", database, scheme="pgmq")}

    def superuser_url(self, database: str = "postgres") -> str:
        return self._url(initialise.SUPERUSER, database)

    def create_database(self, name: str, template: str | None = None) -> None:
        """A database of remit_owner, empty or a copy of `template`, which nobody may be using at this moment."""
        self.execute(";\n".join(initialise.create_database_statements(name, template)))

    def drop_database(self, name: str) -> None:
        """Remove the database with all that is in it, ending the sessions that use it."""
        self.execute(f"DROP DATABASE IF EXISTS {initialise.identifier(name)} WITH (FORCE)")

    def execute(self, statements: str, database: str = "postgres") -> str:
        """Run SQL as the superuser; the rows come back as lines, their fields parted by `|`."""
        command = [postgres.find_binaries().path("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", initialise.SUPERUSER, "-d", database]
        answer = subprocess.run(
            [*command, *address],
            input=statements,
            capture_output=True,
            text=True,
            check=False,
            env=postgres.environment() | {"PGPASSWORD": self._passwords[initialise.SUPERUSER]},
        )
        if answer.returncode != 0:
            raise LaunchError(f"Postgres refused: {answer.stderr.strip().splitlines()[0]}")
        return answer.stdout.strip()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _url(self, role: str, database: str, scheme: str = "postgresql") -> str:
        return f"{scheme}://{role}:{quote(self._passwords[role], safe='')}@127.0.0.1:{self.port}/{quote(database)}"

    def _serve(self, binaries: postgres.Binaries, identity: str) -> None:
        deadline = time.monotonic() + 15
        while True:
            fixed, port = self.port is not None, self.port or self._former_port() or ports.choose()
            trouble = self._try_port(binaries, identity, port)
            if trouble is None:
                self.port = port
                (self.directory.path / _PORT).write_text(f"{port}\n")
                return
            if postgres.DISK_FULL in trouble:
                raise postgres.disk_full(self.directory.path)
            # A server killed with -9 leaves processes that hold its memory and its port for an instant.
            passing = ("shared memory block", "Address already in use", "postmaster.pid")
            if not any(word in trouble for word in passing) or time.monotonic() > deadline:
                where = f" on its port {port}" if fixed else ""
                log = self.directory.logs / "postgres.log"
                raise LaunchError(f"Postgres did not start{where}: {postgres.last_line(trouble)} (see {log})")
            time.sleep(0.2)

    def _former_port(self) -> int | None:
        """The port of the last start, if it is still free: sealed addresses of this server go on to be true."""
        try:
            port = int((self.directory.path / _PORT).read_text())
        except (OSError, ValueError):
            return None
        return port if ports.is_free(port, patience=_PORT_PATIENCE) else None

    def _try_port(self, binaries: postgres.Binaries, identity: str, port: int) -> str | None:
        """Serve on the port. Returns None when ready, else what the server said before it ended."""
        data = self.directory.postgres
        command = [binaries.path("postgres"), "-D", str(data), "-c", f"port={port}"]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.directory.logs / "postgres.log").open("ab") as log:
            before = log.tell()
            self.process = child.start(
                command,
                death_signal=signal.SIGINT,
                environment=postgres.environment(),
                output=log,
                identity=identity,
                directory=Path("/"),
            )
        deadline = time.monotonic() + READY_WITHIN
        while self.process.poll() is None:
            if _is_ready(data):
                return None
            if time.monotonic() > deadline:
                self.process.send_signal(signal.SIGQUIT)
                raise LaunchError(f"Postgres was not ready after {READY_WITHIN:.0f} s: see {log.name}")
            time.sleep(0.01)
        with Path(log.name).open("rb") as file:
            file.seek(before)
            return file.read().decode(errors="replace")


def _is_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return [line.strip() for line in lines[_STATUS_LINE:]] == ["ready"]


def _refuse_other_versions(data: Path, major: str) -> None:
    try:
        found = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise LaunchError(
            f"{data} is no Postgres data directory (no PG_VERSION): move it away or restore it from a backup."
        ) from None
    if found != major:
        raise LaunchError(
            f"{data} was made by PostgreSQL {found}, this Remit brings {major}: dump it with the earlier Remit "
            "and load it here, or name another directory with --data-dir (docs/operating.md)."
        )
