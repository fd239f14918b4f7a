"""`manage.py seed_sample`: the sample organisation, in a database that holds none."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.seeding import seed_sample
from foundation.errors import ConflictError, InvalidError


class Command(BaseCommand):
    """Runs at every `up`; it changes nothing once there is an organisation."""

    help = "Make the sample organisation, if the database holds no organisation yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Without work, for those who want to start it themselves."""
        parser.add_argument("--no-runs", action="store_true", help="do not submit the sample mails")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Seed, and say what was made."""
        try:
            runs = seed_sample(runs=not options["no_runs"])
        except (InvalidError, ConflictError) as error:
            raise CommandError(str(error)) from error
        if runs is None:
            self.stdout.write("There is an organisation already: nothing was made.")
        else:
            self.stdout.write(f"The sample organisation was made, with {len(runs)} runs.")
