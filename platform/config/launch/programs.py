"""The programs that `up` runs: which command, which environment, how each is asked to stop."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from config.launch.directory import DataDirectory
from config.launch.parts import ProgramPart

OWNER = "DATABASE_OWNER_URL"
WORKER_THREADS = 16
_WORKER_FAREWELL = ((signal.SIGTERM, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True)
class Programs:
    """`added` is what we add to the operator's own environment: addresses, data directory."""

    root: Path
    directory: DataDirectory
    added: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        here = {
            "PYTHONPATH": os.pathsep.join([str(self.root), str(self.root / "platform")]),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        return os.environ | self.added | here

    def command(self, name: str, *arguments: str) -> ProgramPart:
        """A command of manage.py, to be run to its end."""
        return self._part(name, "manage.py", *arguments)

    def serving(self, port: int) -> list[ProgramPart]:
        """What keeps running, as started: the models on this machine, web, worker, scheduler."""
        celery = ("-m", "celery", "-A", "config.celery")
        # No access log: a one-time sign-in link is an address.
        serve = ("--host", "127.0.0.1", "--port", str(port), "--timeout-graceful-shutdown", "3", "--no-access-log")
        work = ("--pool", "threads", "--concurrency", str(WORKER_THREADS), "--without-gossip", "--without-mingle")
        web = self._part("web", "-m", "uvicorn", "config.asgi:application", *serve)
        worker = self._part("worker", *celery, "worker", *work)
        # Its death signal stays SIGKILL, as the scheduler's: what Celery handles itself it does not look at while
        # it tries to reach a broker, which dies with the supervisor too; and a run survives any death.
        worker.farewell = _WORKER_FAREWELL
        worker.environment = {"REMIT_POOL_SIZE": str(2 * WORKER_THREADS)} | dict(worker.environment)
        scheduler = self._part("scheduler", *celery, "beat", "--scheduler", "celery.beat:Scheduler")
        for part in (web, worker, scheduler):
            # The owner could switch row-level security off: only migrations and the shell's commands need it.
            part.environment = _without(part.environment, OWNER)
        rehearsal = self._model("rehearsal", "config.sample.rehearsal", "REMIT_REHEARSAL_URL")
        local_model = self._model("local-model", "config.local_model", "REMIT_LOCAL_MODEL_URL")
        return [*rehearsal, *local_model, web, worker, scheduler]

    def _model(self, name: str, module: str, variable: str) -> list[ProgramPart]:
        if variable not in self.added:
            return []
        part = self._part(name, "-m", module, "--port", str(urlsplit(self.added[variable]).port))
        # It stands for a stranger's model: nothing of ours is its business.
        inner = ("DATABASE_", "BROKER_URL", "REMIT_DJANGO_KEY", "REMIT_SEALING_KEY", "REMIT_LOG_KEY")
        part.environment = _without(part.environment, *inner)
        return [part]

    def _part(self, name: str, *arguments: str) -> ProgramPart:
        return ProgramPart(name, [sys.executable, *arguments], self.environment(), self.directory, self.root)


def _without(environment: Mapping[str, str], *beginnings: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(beginnings)}
