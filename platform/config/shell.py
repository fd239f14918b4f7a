"""What the commands of manage.py have in common: whatever goes wrong is told in one line."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError
from psycopg.errors import UndefinedTable

from foundation.errors import ConflictError, InvalidError
from foundation.keys import KeyUnusableError

UNREACHABLE = (
    "The database cannot be reached: start Remit with `manage.py up`, or set DATABASE_URL and its companions "
    "(`manage.py doctor` says more)."
)
_INTERRUPTED = 130
UNMIGRATED = (
    "The database lacks tables of Remit: run `manage.py migrate --database owner`, or end the restore "
    "(`manage.py doctor` says more)."
)


class ShellCommand(BaseCommand):
    """A command that does its work in `act`."""

    # They would import every page and every endpoint first, and take longer than the work; the suite makes them.
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **options: Any) -> None:
        """Act; an error that a person can mend becomes one line and exit code 1."""
        try:
            self.act(**options)
        except (InvalidError, ConflictError, KeyUnusableError) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(UNREACHABLE) from error
        except ProgrammingError as error:
            if not isinstance(error.__cause__, UndefinedTable):
                raise
            raise CommandError(UNMIGRATED) from error
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)

    def act(self, **options: Any) -> None:
        """The work."""
        raise NotImplementedError
