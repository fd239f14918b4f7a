"""`manage.py create_organisation`: a tenant of one's own, beside the sample or without it."""

from argparse import ArgumentParser
from typing import Any

from config.founding import found_organisation
from config.shell import ShellCommand


class Command(ShellCommand):
    """It begins with one administrator and no policy, so that nothing is permitted yet."""

    help = "Make an organisation with its first administrator, and print an address that signs that person in once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What it is called, and who administers it."""
        parser.add_argument("slug", metavar="SLUG", help="its short name, such as acme")
        parser.add_argument("--name", help="its name (default: the short name)")
        parser.add_argument("--administrator", metavar="EMAIL", required=True, help="the address of that person")
        parser.add_argument("--currency", default="EUR", help="three letters; it stays (default: EUR)")

    def act(self, **options: Any) -> None:
        """Print the address, and nothing else."""
        link = found_organisation(
            slug=options["slug"],
            name=options["name"] or options["slug"],
            administrator=options["administrator"],
            currency=options["currency"],
        )
        self.stdout.write(link)
