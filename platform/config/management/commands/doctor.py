"""`manage.py doctor`: is this installation sound? A line for each thing: ok, or what is wrong and what to do."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from config.doctor.checks import examine


class Command(BaseCommand):
    """Changes nothing. Ends with exit code 1 if anything is wrong."""

    help = "Say what is wrong with this installation, and what to do."
    # The checks say more plainly what Django's own would stop at.
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Examine, and say so line by line."""
        sound = True
        for finding in examine():
            sound = sound and finding.sound
            self.stdout.write(str(finding))
        if not sound:
            sys.exit(1)
