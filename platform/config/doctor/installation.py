"""Checks of the machine: versions, keys, disk, and the processes that must run."""

import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError

from config.celery import app
from config.doctor.finding import Finding
from foundation.audit.models import Checkpoint
from foundation.secrets.rotation import any_sealed

OLDEST_PYTHON = (3, 11)
LEAST_FREE = 1024**3  # bytes
SEEN_WITHIN = 30.0  # seconds
KEYS = {"django.key": "REMIT_DJANGO_KEY", "sealing.key": "REMIT_SEALING_KEY", "log.key": "REMIT_LOG_KEY"}
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


def versions() -> Iterator[Finding]:
    """Python and the packages that matter most."""
    seen = [f"Python {platform.python_version()}", *(f"{name} {_version(name)}" for name in ("django", "celery"))]
    to_do = "" if sys.version_info >= OLDEST_PYTHON else "Remit needs Python 3.11 or later"
    yield Finding("versions", ", ".join(seen), to_do)


def keys() -> Iterator[Finding]:
    """Each key is there, and nobody else can read it."""
    folder = Path(settings.KEYS_DIR)
    if folder.exists() and (mode := stat.S_IMODE(folder.stat().st_mode)) != _PRIVATE_FOLDER:
        yield Finding("keys", f"{folder} has the mode {mode:04o}", f"run `chmod 700 {folder}`")
    for name, variable in KEYS.items():
        yield _key(folder / name, variable)
    if (passwords := folder / "database.json").exists():
        yield _private(passwords)


def disk() -> Iterator[Finding]:
    """Room for the data directory to grow."""
    free = shutil.disk_usage(settings.DATA_DIR).free
    to_do = "" if free >= LEAST_FREE else "free some space, or move the data directory"
    yield Finding("disk", f"{free / LEAST_FREE:.1f} GiB free at {settings.DATA_DIR}", to_do)


def broker() -> Iterator[Finding]:
    """The broker takes messages."""
    options = {"pool_timeout": 2} if settings.BROKER_URL.startswith("pgmq:") else {}
    kind = settings.BROKER_URL.partition(":")[0]
    if kind == "memory":
        yield Finding("broker", "BROKER_URL is not set", "set it, or start Remit with `manage.py up`")
        return
    try:
        with app.connection_for_write(connect_timeout=2, transport_options=options) as connected:
            connected.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except (OperationalError, OSError, psycopg.Error) as error:
        yield Finding("broker", f"{kind} does not answer ({type(error).__name__})", "start it, or set BROKER_URL right")
    else:
        yield Finding("broker", f"{kind} answers")


def processes() -> Iterator[Finding]:
    """A worker and the scheduler were seen a moment ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, count(*), extract(epoch FROM clock_timestamp() - max(seen_at))::float8 "
            "FROM runs_heartbeat GROUP BY kind"
        )
        seen = {kind: (number, age) for kind, number, age in cursor.fetchall()}
    for kind, command in (("worker", "worker"), ("scheduler", "beat")):
        number, age = seen.get(kind, (0, None))
        alive = age is not None and age <= SEEN_WITHIN
        said = "was never seen" if age is None else f"was seen {age:.0f} s ago ({number} in the last hour)"
        yield Finding(kind, said, "" if alive else f"start it: `celery -A config.celery {command}`, or `manage.py up`")


def _key(path: Path, variable: str) -> Finding:
    if os.environ.get(variable, "").strip():
        return Finding(path.name, f"comes from {variable}")
    if not path.exists():
        if not (needs := _NEEDED_BY.get(path.name, str)()):
            return Finding(path.name, "was not used yet: it is made at its first use")
        return Finding(path.name, f"is not at {path}, and {needs}", f"restore it from the backup; a new one is made at "
                       f"first use, and opens nothing that the former one closed. Or set {variable}")  # fmt: skip
    return _private(path)


def _sealed() -> str:
    return "it has sealed secrets that are stored" if any_sealed() else ""


def _signed() -> str:
    return "it has signed checkpoints of the record" if Checkpoint.objects.using("system").exists() else ""


_NEEDED_BY = {"sealing.key": _sealed, "log.key": _signed}  # the other one is made when the settings are read


def _private(path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    to_do = "" if mode == _PRIVATE_FILE else f"run `chmod 600 {path}`, and change it if others could read it"
    return Finding(path.name, f"has the mode {mode:04o}", to_do)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
