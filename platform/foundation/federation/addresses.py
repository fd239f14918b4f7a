"""Which addresses of an identity provider may be asked, and be sent a secret or a person."""

import ipaddress
from urllib.parse import urlsplit

PLAIN = "An identity provider's address begins with https://; http:// is for a loopback address such as 127.0.0.1 only."


def is_sealed(address: str) -> bool:
    """Whether nobody on the way can read or change what is said there: https, or http that leaves no machine.

    A loopback address as such: what a name means, somebody else may say.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
