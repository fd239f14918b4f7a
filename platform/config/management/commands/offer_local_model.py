"""`manage.py offer_local_model`: the local model in an organisation's catalogue."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.offering import offer_local_model
from foundation.errors import ConflictError, InvalidError


class Command(BaseCommand):
    """Runs at every `up --local-model`; it changes nothing but the address, once the model is there."""

    help = "Add the local model to an organisation's catalogue, or follow its address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose catalogue."""
        parser.add_argument("--organisation", metavar="SLUG", help="its short name (default: the sample's)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Offer, and say what was done."""
        try:
            self.stdout.write(offer_local_model(options["organisation"]))
        except (InvalidError, ConflictError) as error:
            raise CommandError(str(error)) from error
