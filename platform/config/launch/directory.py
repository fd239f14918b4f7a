"""The data directory: who may use it, and where things lie in it."""

import fcntl
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from config.launch.failure import LaunchError

LOCK_PATIENCE = 0.5  # seconds; a command that only looks whether somebody holds the lock has it for an instant


class DataDirectory:
    """`keys/` (0700), `run/` (0700), `logs/`, `postgres/`; used by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.keys = self.path / "keys"
        self.run = self.path / "run"
        self.logs = self.path / "logs"
        self.postgres = self.path / "postgres"
        self._lock: int | None = None

    def claim(self) -> None:
        """Make the directory ours until `release` or the end of this process. Raises LaunchError when it is in use."""
        if self._lock is not None:
            return
        try:
            for folder, mode in ((self.path, 0o755), (self.keys, 0o700), (self.run, 0o700), (self.logs, 0o700)):
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
            lock = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LaunchError(
                f"The data directory {self.path} cannot be written ({error.strerror}): free it or name another one "
                "with --data-dir."
            ) from error
        if not _locked_within(lock, LOCK_PATIENCE):
            os.close(lock)
            raise LaunchError(
                f"The data directory {self.path} is in use by another `up`: stop that one (Ctrl-C) or name another "
                "directory with --data-dir."
            )
        self._lock = lock

    @property
    def claimed(self) -> bool:
        """Whether this object holds the directory."""
        return self._lock is not None

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def in_use(self) -> bool:
        """Whether a live process (this one or another) has claimed the directory."""
        if self._lock is not None:
            return True
        try:
            lock = os.open(self.run / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            return not _locked_within(lock, 0)
        finally:
            os.close(lock)


def _locked_within(lock: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def write_private(path: Path, content: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None when there is no such file or no object in it."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
