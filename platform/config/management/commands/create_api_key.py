"""`manage.py create_api_key --email …`: a key for scripts, printed once. It goes into the record."""

from argparse import ArgumentParser
from typing import Any

from config.recovery import api_key_for
from config.shell import ShellCommand


class Command(ShellCommand):
    """A key acts in the person's name, with the person's rights or fewer."""

    help = "Print a new API key of a person. It is not shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose, what for, and how narrow."""
        parser.add_argument("--email", required=True, help="the address of the person")
        parser.add_argument("--organisation", metavar="SLUG", help="if the person belongs to several")
        parser.add_argument("--name", default="made in the shell", help="what it is for")
        parser.add_argument("--scopes", default="", help="comma-separated permissions, such as run.start,run.view")
        parser.add_argument("--expires-days", type=int, metavar="DAYS", help="it expires after so many days")

    def act(self, **options: Any) -> None:
        """Print the key, and nothing else."""
        scopes = tuple(part.strip() for part in options["scopes"].split(",") if part.strip())
        self.stdout.write(
            api_key_for(options["email"], options["organisation"], options["name"], scopes, options["expires_days"])
        )
