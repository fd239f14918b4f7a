"""`manage.py offer_local_model`: the local model in an organisation's catalogue."""

from argparse import ArgumentParser
from typing import Any

from config.offering import offer_local_model
from config.shell import ShellCommand


class Command(ShellCommand):
    """Runs at every `up --local-model`; it changes nothing but the address, once the model is there."""

    help = "Add the local model to an organisation's catalogue, or follow its address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose catalogue."""
        parser.add_argument("--organisation", metavar="SLUG", help="its short name (default: the sample's)")

    def act(self, **options: Any) -> None:
        """Offer, and say what was done."""
        self.stdout.write(offer_local_model(options["organisation"]))
