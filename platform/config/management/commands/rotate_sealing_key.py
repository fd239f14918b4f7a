"""`manage.py rotate_sealing_key`: a new sealing key, and every sealed value under it."""

from argparse import ArgumentParser
from typing import Any

from config.shell import ShellCommand
from foundation.actors import shell_actor
from foundation.secrets.rotation import drop_former_sealing_keys, rotate_sealing_key


class Command(ShellCommand):
    """Running processes need no restart: they read the keys again when they meet a new one."""

    help = "Make a new sealing key and seal every stored secret under it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One of two, or none."""
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--reseal-only", action="store_true", help="make no key: one was put first by hand")
        which.add_argument("--drop-former", action="store_true", help="after a restart of all: forget the former keys")

    def act(self, **options: Any) -> None:
        """Rotate or drop, and say how much."""
        actor = shell_actor()
        if options["drop_former"]:
            self.stdout.write(f"Dropped {drop_former_sealing_keys(actor=actor)} former keys.")
            return
        count = rotate_sealing_key(actor=actor, new_key=not options["reseal_only"])
        self.stdout.write(f"Sealed {count} values under the current key.")
