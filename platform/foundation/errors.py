"""What a service answers when it does not do what it was asked: one line that says what is wrong and what to do.

The line may quote what was sent: it is made plain here, so that every page, answer and record can hold it.
"""

from foundation.audit.plain import plain_text


class InvalidError(ValueError):
    """The request cannot be carried out as it is: 400, or a message at the `field` of a form."""

    def __init__(self, message: str, field: str = "") -> None:
        self.message = plain_text(message)
        super().__init__(self.message)
        self.field = field


class ConflictError(Exception):
    """The thing has changed meanwhile, or is there already: 409."""

    def __init__(self, message: str) -> None:
        self.message = plain_text(message)
        super().__init__(self.message)
