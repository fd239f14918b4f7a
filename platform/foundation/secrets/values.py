"""A secret in memory that does not show itself."""

import hmac
from typing import NoReturn


class Secret:
    """Text that is seen only through `reveal()`: not by printing, formatting, logging, comparing or pickling."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself; call it where it leaves the process, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash in a set or a key would make a secret comparable by timing

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not sent anywhere: send what names it.")
