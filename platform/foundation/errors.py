"""What a service answers when it does not do what it was asked: one line that says what is wrong and what to do.

The line may quote what was sent: it is made plain here, so that every page, answer and record can hold it.
"""

from collections.abc import Iterable

from foundation.audit.plain import plain_text


class InvalidError(ValueError):
    """The request cannot be carried out as it is: 400, or a message at the `field` of a form."""

    def __init__(self, message: str, field: str = "") -> None:
        self.message = plain_text(message)
        super().__init__(self.message)
        self.field = field


class LackingError(InvalidError):
    """The actor would give, or take, what it may not do itself: 403 with what is `missing`, and it is recorded.

    On a page it is told like any InvalidError. Nothing is missing by name where no permission would do.
    """

    def __init__(self, message: str, missing: Iterable[str] = (), field: str = "") -> None:
        super().__init__(message, field)
        self.missing = tuple(sorted(map(str, missing)))


class ConflictError(Exception):
    """The thing has changed meanwhile, or is there already: 409."""

    def __init__(self, message: str) -> None:
        self.message = plain_text(message)
        super().__init__(self.message)
