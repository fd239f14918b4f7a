"""`manage.py up`: everything that Remit needs, on this machine, until Ctrl-C."""

import argparse
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from config.launch import environment, health, options, ports
from config.launch.cluster import Cluster
from config.launch.directory import write_private
from config.launch.failure import LaunchError
from config.launch.parts import PostgresPart, ProgramPart, forget_earlier_processes, set_large_logs_aside
from config.launch.programs import Programs
from config.launch.supervisor import StopRequested, Supervisor, stopping_on_signals

HEALTHY_WITHIN = 120.0  # seconds, for the web process and then for all that it depends on


def main(root: Path, argv: list[str]) -> int:
    """Run until a signal comes. Returns the exit code. Raises LaunchError when something stands in the way."""
    chosen = options.read(root, argv[2:])
    environment.ensure(root, "run")
    if chosen.local_model:
        environment.ensure_local_model(root)
    if not environment.inside(root):
        environment.become(root, argv)
    environment.hold(root)
    return run(Up(root, chosen))


def run(up: "Up") -> int:
    """Start, watch, and stop in order whatever happens. Raises LaunchError."""
    with stopping_on_signals() as no_more_signals:
        try:
            up.start()
            up.supervisor.watch()
        except StopRequested:
            say("Stopping.")
        except OSError as error:
            raise LaunchError(f"Remit stopped: {error}") from error
        finally:
            no_more_signals()
            up.stop()
    return 0


def say(line: str) -> None:
    """Tell the operator; a terminal that has gone is no reason to end."""
    with suppress(OSError):
        print(line, flush=True)


class Up:
    """One run of `up`. `serving` makes the parts that keep running, from Programs and the port."""

    def __init__(
        self,
        root: Path,
        chosen: argparse.Namespace,
        *,
        serving: Callable[[Programs, int], list[ProgramPart]] = Programs.serving,
    ) -> None:
        self.root = root
        self.chosen = chosen
        self.supervisor = Supervisor(say=say)
        self.cluster = Cluster(chosen.data_dir)
        self.directory = self.cluster.directory
        self._serving = serving

    def start(self) -> None:
        """Start all parts in order and print the address when it answers. Raises LaunchError, OSError."""
        self.directory.claim()
        self._refuse_used_port()
        forget_earlier_processes(self.directory)
        set_large_logs_aside(self.directory)
        programs = Programs(self.root, self.directory, self._added_environment())
        self._publish(programs)
        self._run(programs.command("migrate", "migrate", "--database", "owner", "--no-input"))
        if not self.chosen.no_sample:
            self._run(programs.command("seed", "seed_sample"))
        if self.chosen.local_model:
            self._run(programs.command("offer", "offer_local_model"))
        for part in self._serving(programs, self.chosen.port):
            self.supervisor.add(part)
        self._wait_for("/healthz")
        self._wait_for("/readyz")
        self._greet(programs)

    def stop(self) -> None:
        """Stop all parts in order; the directory is free afterwards."""
        if self.directory.claimed:
            (self.directory.run / "environment.json").unlink(missing_ok=True)
        self.supervisor.stop()
        self.directory.release()

    def _refuse_used_port(self) -> None:
        # After a kill -9 the earlier web process needs an instant to follow its supervisor.
        crashed = (self.directory.run / "environment.json").exists()
        if not ports.is_free(self.chosen.port, patience=5.0 if crashed else 0.0):
            raise LaunchError(
                f"Port {self.chosen.port} on 127.0.0.1 is in use: end what occupies it, or choose another with --port."
            )

    def _added_environment(self) -> dict[str, str]:
        """Start Postgres unless the operator brings one. Returns what we tell all programs."""
        added = options.environment(self.chosen, self.directory)
        if "DATABASE_URL" in os.environ:
            if "BROKER_URL" not in os.environ:
                raise LaunchError("DATABASE_URL is set, so BROKER_URL must be set too (docs/operating.md).")
            return added
        self.supervisor.add(PostgresPart(self.cluster))
        return self.cluster.environment() | added

    def _publish(self, programs: Programs) -> None:
        """For the other commands of manage.py, which find the database through it while we live."""
        content = {"pid": os.getpid(), "environment": dict(programs.added)}
        write_private(self.directory.run / "environment.json", json.dumps(content, indent=1) + "\n")

    def _run(self, part: ProgramPart) -> None:
        if code := part.run():
            raise LaunchError(f"{part.name} failed with exit code {code}: {part.last_words()}")

    def _wait_for(self, path: str) -> None:
        self.supervisor.wait_until(
            lambda: health.ask(self.chosen.port, path)[0] == 200,  # noqa: PLR2004 - the status of success
            seconds=HEALTHY_WITHIN,
            otherwise=lambda: (
                f"{path} does not answer well: {health.ask(self.chosen.port, path)[1]} (see {self.directory.logs})"
            ),
        )

    def _greet(self, programs: Programs) -> None:
        link = programs.command("sign-in", "sign_in_link", "--first-administrator")
        answer = subprocess.run(
            link.command, env=link.environment, cwd=self.root, capture_output=True, text=True, check=False
        )
        lines = (answer.stdout.strip() or answer.stderr.strip() or "no sign-in link was made").splitlines()
        said = lines[-1].removeprefix("CommandError: ")
        say(f"Remit is ready at {programs.added['REMIT_PUBLIC_URL']} (Ctrl-C stops it, logs: {self.directory.logs})")
        if self.chosen.local_model:
            say(f"The local model answers at {programs.added['REMIT_LOCAL_MODEL_URL']} (docs/models.md)")
        say(f"Sign in once with: {said}" if answer.returncode == 0 else f"No sign-in link: {said}")
