"""`manage.py seed_sample`: the sample organisation, in a database that holds none."""

from argparse import ArgumentParser
from typing import Any

from config.seeding import seed_sample
from config.shell import ShellCommand


class Command(ShellCommand):
    """Runs at every `up`; it makes nothing once there is an organisation."""

    help = "Make the sample organisation, if the database holds no organisation yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Without work, for those who want to start it themselves."""
        parser.add_argument("--no-runs", action="store_true", help="do not submit the sample mails")

    def act(self, **options: Any) -> None:
        """Seed, and say what was made."""
        runs = seed_sample(runs=not options["no_runs"])
        if runs is None:
            self.stdout.write("There is an organisation already: nothing was made.")
        else:
            self.stdout.write(f"The sample organisation was made, with {len(runs)} runs.")
