"""How often sign-in may be tried, counted in Postgres so that all processes count together.

Call it outside any transaction that may be rolled back: an attempt counts before it is known how it ends.
"""

import hashlib

from foundation.errors import InvalidError
from foundation.identity.lookups import count_attempt, forget_attempts, return_attempt

WINDOW = 15 * 60  # seconds
PER_EMAIL = 10
PER_ADDRESS = 60  # an office shares one address


class TooManyAttemptsError(InvalidError):
    """Sign-in was tried too often; `wait` is the number of seconds after which it may be tried again."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many attempts to sign in: try again in {-(-wait // 60)} minutes.")
        self.wait = wait


def allow_attempt(email: str, address: str) -> None:
    """Count an attempt to sign in with `email` (empty for a link) from `address`. Raises TooManyAttemptsError."""
    limits = [(f"address {address}", PER_ADDRESS)] if address else []
    if email:
        limits.append((f"email {email}", PER_EMAIL))
    for name, limit in limits:
        made, remaining = count_attempt(_key(name), WINDOW)
        if made > limit:
            raise TooManyAttemptsError(max(1, remaining))


def succeed(email: str, address: str) -> None:
    """Only failures count: this one is taken back, and earlier ones on the same address of mail are forgotten."""
    if email:
        forget_attempts(_key(f"email {email}"))
    if address:
        return_attempt(_key(f"address {address}"))


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
