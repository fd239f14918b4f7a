"""How often sign-in may be tried, counted in Postgres so that all processes count together.

Call it outside any transaction that may be rolled back: an attempt counts before it is known how it ends.
"""

import hashlib
import ipaddress

from foundation.errors import InvalidError
from foundation.identity.lookups import count_attempt, forget_attempts, return_attempt

WINDOW = 15 * 60  # seconds
PER_EMAIL = 10
PER_ADDRESS = 60  # an office shares one address
TOLD = 1_000  # refusals of one source in a window that the record tells one by one
_NETWORK = 64  # bits: who has one address of IPv6 has so many more


class TooManyAttemptsError(InvalidError):
    """Sign-in was tried too often; `wait` is the number of seconds after which it may be tried again.

    `beyond` is by how many attempts.
    """

    def __init__(self, wait: int, beyond: int) -> None:
        super().__init__(f"Too many attempts to sign in: try again in {-(-wait // 60)} minutes.")
        self.wait, self.beyond = wait, beyond


def allow_attempt(email: str, address: str) -> None:
    """Count an attempt to sign in with `email` (empty for a link) from `address`. Raises TooManyAttemptsError."""
    limits = [(f"address {source_of(address)}", PER_ADDRESS)] if address else []
    if email:
        limits.append((f"email {email}", PER_EMAIL))
    for name, limit in limits:
        made, remaining = count_attempt(_key(name), WINDOW)
        if made > limit:
            raise TooManyAttemptsError(max(1, remaining), made - limit)


def succeed(email: str, address: str) -> None:
    """Only failures count: this one is taken back, and earlier ones on the same address of mail are forgotten."""
    if email:
        forget_attempts(_key(f"email {email}"))
    if address:
        return_attempt(_key(f"address {source_of(address)}"))


def is_told(number: int, one_by_one: int = TOLD) -> bool:
    """Whether the record tells of this refusal of a source: the first ones, then each at which the number has doubled.

    Whoever is refused must not be able to fill the record; the number that is told stands for all until then.
    """
    return number <= one_by_one or number & (number - 1) == 0


def count_refused(source: str) -> int:
    """Count a refusal of a source: which one it is in this window."""
    return count_attempt(_key(f"refused {source}"), WINDOW)[0]


def source_of(address: str) -> str:
    """Where a caller comes from, as one source: its address, or in IPv6 its network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped
        return str(inner or ipaddress.ip_network((found, _NETWORK), strict=False))
    return str(found)


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
