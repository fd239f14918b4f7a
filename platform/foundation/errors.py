"""What a service answers when it does not do what it was asked: one line that says what is wrong and what to do."""


class InvalidError(ValueError):
    """The request cannot be carried out as it is: 400, or a message at the `field` of a form."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class ConflictError(Exception):
    """The thing has changed meanwhile, or is there already: 409."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
