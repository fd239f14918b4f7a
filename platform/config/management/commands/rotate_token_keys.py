"""`manage.py rotate_token_keys`: another key signs the tokens of runs from now on."""

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from config.shell import ShellCommand
from foundation.actors import shell_actor
from foundation.audit.record import entry, record
from foundation.delegation.keys import public_keys, rotate_keys


class Command(ShellCommand):
    """Running processes need no restart: they see that the file is another one."""

    help = "Sign the tokens of runs with a new key; the former one verifies until its tokens are over."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether the former keys may stay."""
        parser.add_argument(
            "--forget-former", action="store_true", help="a key may have been seen: refuse every token given until now"
        )

    def act(self, **options: Any) -> None:
        """Rotate, record it, and say what verifies now."""
        forget = bool(options["forget_former"])
        # The transaction stands first: without a database to record it in, no key is made.
        with transaction.atomic(using="system"):
            count = rotate_keys(forget=forget)
            name = str(public_keys()["keys"][0]["kid"])
            details = {"verifying": count, "forgotten": forget}
            told = entry(shell_actor(), "token_key.rotate", target_kind="token_key", target_name=name, details=details)
            record(told, using="system")
        self.stdout.write(f"The key {name} signs from now on. Keys that verify: {count}.")
