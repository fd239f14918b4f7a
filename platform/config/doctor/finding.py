"""One line of the doctor's answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import DatabaseError, OperationalError

from foundation.keys import KeyUnusableError


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and what was seen; `to_do` is empty if all is well."""

    name: str
    seen: str
    to_do: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing is to be done."""
        return not self.to_do

    def __str__(self) -> str:
        return f"ok     {self.name}: {self.seen}" if self.sound else f"WRONG  {self.name}: {self.seen}: {self.to_do}"


Check = Callable[[], Iterator[Finding]]


def run(check: Check) -> Iterator[Finding]:
    """The findings of a check; if it cannot be made, that is a finding too."""
    name = check.__name__.replace("_", " ")
    try:
        yield from check()
    except OperationalError as error:
        yield Finding(
            name,
            f"the database cannot be reached ({_first_line(error)})",
            "start Remit with `manage.py up`, or see that Postgres runs and that DATABASE_URL and its companions are "
            "right",
        )
    except (DatabaseError, OSError, KeyUnusableError) as error:
        yield Finding(name, f"it could not be looked at ({_first_line(error)})", "mend this, then ask again")


def _first_line(error: Exception) -> str:
    # What follows may quote values.
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
