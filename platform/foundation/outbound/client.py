"""`client()`: the only way out of this process over HTTP."""

import ssl
from functools import lru_cache

import httpx2
from django.conf import settings
from httpx2 import HTTPError, InvalidURL, Response

from foundation.outbound.addresses import Allowance, port_of
from foundation.outbound.errors import OutboundLimitError, OutboundRefusedError
from foundation.outbound.transport import CheckedTransport

__all__ = ["HTTPError", "InvalidURL", "OutboundLimitError", "OutboundRefusedError", "Response", "client"]

MAX_REDIRECTS = 5
MAX_BYTES = 32 * 1024 * 1024
_CONNECTIONS = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30)


def client(
    *,
    timeout: float | httpx2.Timeout,
    purpose: str,
    max_bytes: int = MAX_BYTES,
    longest: float | None = None,
    follow_redirects: bool = True,
    trust: ssl.SSLContext | None = None,
) -> httpx2.Client:
    """A client that reaches public addresses, and what `settings.REMIT_OUTBOUND_ALLOW` names as `host:port`.

    `timeout` is in seconds for each of connecting, writing and reading, `longest` for all that this client does, from
    now on; `purpose` names the caller to the other side; `max_bytes` bounds each answer; `trust` replaces the usual
    authorities. Proxies of the environment are not used. Raises OutboundRefusedError (not sent) and OutboundLimitError
    (sent, answer not taken), both httpx2.TransportError.
    """
    allowance = Allowance.of(settings.REMIT_OUTBOUND_ALLOW)
    trust = trust or _usual_trust()
    guard = _Guard(allowance)
    return httpx2.Client(
        transport=CheckedTransport(
            allowance=allowance, trust=trust, max_bytes=max_bytes, limits=_CONNECTIONS, longest=longest
        ),
        trust_env=False,
        timeout=timeout,
        follow_redirects=follow_redirects,
        max_redirects=MAX_REDIRECTS,
        # A compressed answer could unpack to any size.
        headers={"accept-encoding": "identity", "user-agent": f"remit ({purpose})"},
        event_hooks={"request": [], "response": [guard.check_encoding, guard.check_redirect]},
    )


@lru_cache(maxsize=1)
def _usual_trust() -> ssl.SSLContext:
    # Reading the authorities takes longer than most requests; a context may be shared.
    return httpx2.create_ssl_context(trust_env=False)


class _Guard:
    """What is checked of an answer before its body is read or its redirect followed."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def check_encoding(self, response: httpx2.Response) -> None:
        """Only plain bodies."""
        if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise OutboundLimitError(f"{response.url.host} answered compressed although it was asked not to.")

    def check_redirect(self, response: httpx2.Response) -> None:
        """Never from https to http; and what the operator opened is reached by its own name, not led to by others."""
        if not response.has_redirect_location:
            return
        here, there = response.url, response.url.join(response.headers["location"])
        if here.scheme == "https" and there.scheme != "https":
            raise OutboundRefusedError(f"Refused to follow {here.host} from https to {there.scheme}.")
        target = there.host, port_of(there.scheme, there.port)
        if target != (here.host, port_of(here.scheme, here.port)) and self._allowance.covers(*target):
            raise OutboundRefusedError(f"Refused to be led by {here.host} to {target[0]} port {target[1]}.")
