"""`manage.py submit --team refund-desk FILE…`: each file becomes a run of the team's agent."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError

from agents.runs.models import ENDED, Run, RunState, Wait
from config.intake import Submission, find_agent, find_team, submit
from config.shell import ShellCommand
from foundation.actors import shell_actor
from foundation.tenancy.context import tenant

_GLANCE = 0.5  # seconds between two looks at the runs


class Command(ShellCommand):
    """All files are read before the first run starts, and all runs start together: nothing is left half done."""

    help = "Give mails or texts to a team of agents as runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The files, and who works on them."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a mail (.eml) or a text in UTF-8")
        parser.add_argument("--team", required=True, help="short name of the team")
        parser.add_argument("--agent", help="short name of the agent, if the team has several")
        parser.add_argument("--organisation", help="short name of the organisation, if several have such a team")
        parser.add_argument("--again", action="store_true", help="a new run, although the file was submitted before")
        parser.add_argument(
            "--wait", action="store_true", help="wait for the ends of the runs and say what came of them"
        )

    def act(self, **options: Any) -> None:
        """Submit, and say where to look."""
        organisation, runs = self._submit(options)
        if options["wait"]:
            self._wait(organisation, runs)

    def _submit(self, options: dict[str, Any]) -> tuple[UUID, list[UUID]]:
        team = find_team(options["team"], options["organisation"])
        actor = shell_actor(team.organisation_id)
        with tenant(team.organisation_id):
            agent = find_agent(team, options["agent"])
            submissions = [Submission.of(path) for path in options["files"]]
            submitted = [
                submit(actor=actor, agent=agent, submission=one, again=options["again"]) for one in submissions
            ]
        for run, known in submitted:
            note = " (submitted before; --again makes a new one)" if known else ""
            self.stdout.write(f"{run.id} {settings.PUBLIC_URL}/runs/{run.id}/ {run.title}{note}")
        return team.organisation_id, [run.id for run, _ in submitted]

    def _wait(self, organisation: UUID, runs: list[UUID]) -> None:
        waiting, told = set(runs), set[UUID]()
        failed = False
        while waiting:
            for run in _states(organisation, waiting):
                if run.state in ENDED:
                    waiting.discard(run.id)
                    failed = failed or run.state != RunState.SUCCEEDED
                    self.stdout.write(f"{run.id} {run.get_state_display().lower()}: {_outcome(run)}")
                elif run.waits_for in {Wait.APPROVAL, Wait.PERSON} and run.id not in told:
                    told.add(run.id)
                    self.stdout.write(f"{run.id} waits for a person: {settings.PUBLIC_URL}/approvals/")
            if waiting:
                time.sleep(_GLANCE)
        if failed:
            raise CommandError("Not every run succeeded.")


def _states(organisation: UUID, runs: set[UUID]) -> list[Run]:
    with tenant(organisation):
        return list(Run.objects.filter(pk__in=runs))


def _outcome(run: Run) -> str:
    text = run.output.get("text") if isinstance(run.output, dict) else run.output
    return " ".join(str(run.failure or text or "no answer").split())
