"""Which addresses may be connected to: public unicast ones, and what the operator allowed by name."""

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from foundation.outbound.errors import OutboundRefusedError
from foundation.outbound.resolving import resolve

# The special-purpose registries of IANA (RFC 6890); written out, as what Python calls global differs by version.
_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # public in form, but inside Azure it is the host's own service
    )
)  # fmt: skip
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    # 2002::/16 (6to4) and 2001::/32 (Teredo) carry IPv4 addresses inside.
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SCHEME_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Allowance:
    """The `host:port` pairs that the operator allowed although they are not public."""

    pairs: frozenset[str]

    @classmethod
    def of(cls, pairs: Collection[str]) -> "Allowance":
        """From settings; an IPv6 address stands in brackets."""
        return cls(frozenset(pair.strip().lower() for pair in pairs))

    def covers(self, host: str, port: int) -> bool:
        """Whether exactly this host, as it was named, is allowed on this port."""
        return f"{_bracketed(_plain_host(host))}:{port}" in self.pairs


def port_of(scheme: str, port: int | None) -> int:
    """The port that a URL means."""
    return port or _SCHEME_PORTS.get(scheme, 0)


def is_public(address: str) -> bool:
    """Whether a literal IP address is public unicast, all the way down to an IPv4 address inside it."""
    try:
        return _is_public(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return False


def checked_addresses(host: str, port: int, allowance: Allowance, seconds: float | None = None) -> Sequence[str]:
    """The addresses of a host, all of them allowed. Raises OutboundRefusedError, or OSError when it has none.

    A name that is not resolved within `seconds` has none: that is a TimeoutError.

    A name with a public and a private address is refused: such answers are how names are rebound.
    """
    addresses = resolve(host, port, seconds)
    if allowance.covers(host, port):
        return addresses
    if not all(map(is_public, addresses)):
        # The address itself is not told: a name would become a way to map the network inside.
        name = f"{_bracketed(_plain_host(host))}:{port}"
        raise OutboundRefusedError(
            f"Refused to connect to {name}: it is not a public address. An operator may allow it in "
            "REMIT_OUTBOUND_ALLOW."
        )
    return addresses


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    inner = address.ipv4_mapped
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    if inner is not None:
        return _is_public(inner)
    return address in _PUBLIC_V6 and not any(address in network for network in _REFUSED_V6)


def _plain_host(host: str) -> str:
    return host.lower().strip("[]").rstrip(".")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
