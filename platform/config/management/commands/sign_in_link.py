"""`manage.py sign_in_link EMAIL`: one address that signs a person in once. It goes into the record."""

from argparse import ArgumentParser
from typing import Any

from config.recovery import create_administrator, sign_in_link_for, sign_in_link_for_first_administrator
from config.shell import ShellCommand
from foundation.errors import InvalidError


class Command(ShellCommand):
    """The way back in, for whoever holds the machine."""

    help = "Print an address that signs a person in once, within 15 minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Exactly one person."""
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("email", nargs="?", metavar="EMAIL", help="the address of the person")
        who.add_argument("--first-administrator", action="store_true", help="whoever administers for longest")
        who.add_argument("--create", metavar="EMAIL", help="a new administrator, where none is left")
        parser.add_argument("--organisation", metavar="SLUG", help="with --create: where")

    def act(self, **options: Any) -> None:
        """Print the address, and nothing else."""
        if bool(options["create"]) != bool(options["organisation"]):
            raise InvalidError("--create and --organisation go together: give both, or neither.")
        if options["create"]:
            link = create_administrator(options["create"], options["organisation"])
        elif options["first_administrator"]:
            link = sign_in_link_for_first_administrator()
        else:
            link = sign_in_link_for(options["email"])
        self.stdout.write(link)
