"""The transport under every client: connects to the address that it checked, and counts what comes back."""

import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore2
import httpx2
from httpcore2 import SOCKET_OPTION, NetworkBackend, NetworkStream, SyncBackend

from foundation.outbound.addresses import Allowance, checked_addresses
from foundation.outbound.errors import OutboundLimitError, OutboundRefusedError


class BoundedStream(NetworkStream):
    """A connection that is good until `deadline` (monotonic seconds): an answer that comes in drops ends there too."""

    def __init__(self, stream: NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come. Raises ReadTimeout."""
        return self._stream.read(max_bytes, self._left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises WriteTimeout."""
        self._stream.write(buffer, self._left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        """The same, sealed. Raises ConnectTimeout."""
        left = self._left(timeout, httpcore2.ConnectTimeout)
        return BoundedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What the connection says of itself."""
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None, late: type[Exception]) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise late("The time for the whole answer is over.")
        return left if timeout is None else min(left, timeout)


class CheckedBackend(NetworkBackend):
    """Resolves, checks every address, and connects to one of those checked: nothing is resolved twice.

    TLS still asks for the host's name, as only the socket is opened here.
    """

    def __init__(self, allowance: Allowance, longest: float | None = None) -> None:
        self._allowance = allowance
        self._end = None if longest is None else time.monotonic() + longest
        self._plain = SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        """A connection to the first address that answers, within `timeout` seconds altogether."""
        ends = [one for one in (None if timeout is None else time.monotonic() + timeout, self._end) if one is not None]
        deadline = min(ends, default=None)
        failure: Exception = httpcore2.ConnectError(f"{host} has no address.")
        for address in _resolved(host, port, self._allowance, _left(deadline)):
            try:
                stream = self._plain.connect_tcp(address, port, _left(deadline), local_address, socket_options)
                return stream if self._end is None else BoundedStream(stream, self._end)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SOCKET_OPTION] | None = None
    ) -> NetworkStream:
        """Refused: what listens there is of this machine."""
        del timeout, socket_options
        raise OutboundRefusedError(f"Refused to connect to the socket {path}: only TCP leaves this machine.")


class CheckedTransport(httpx2.HTTPTransport):
    """Connects through CheckedBackend, and cuts an answer off at `max_bytes`."""

    def __init__(
        self, *, allowance: Allowance, trust: ssl.SSLContext, max_bytes: int, limits: httpx2.Limits,
        longest: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(verify=trust, trust_env=False, limits=limits)
        self._max_bytes = max_bytes
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trust,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=CheckedBackend(allowance, longest),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request, one counted answer."""
        response = super().handle_request(request)
        stream = response.stream
        if not isinstance(stream, httpx2.SyncByteStream):
            raise OutboundLimitError(f"{request.url.host} answered in a form that is not taken.")
        response.stream = _CountedStream(stream, self._max_bytes, request.url.host)
        return response


class _CountedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, max_bytes: int, host: str) -> None:
        self._stream, self._left, self._max_bytes, self._host = stream, max_bytes, max_bytes, host

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            self._left -= len(part)
            if self._left < 0:
                raise OutboundLimitError(f"{self._host} answered with more than {self._max_bytes} bytes.")
            yield part

    def close(self) -> None:
        self._stream.close()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.monotonic(), 0.001)


def _resolved(host: str, port: int, allowance: Allowance, seconds: float | None) -> Iterable[str]:
    try:
        return checked_addresses(host, port, allowance, seconds)
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(f"{host} cannot be resolved: {error}") from error
    except (OSError, UnicodeError) as error:
        # httpx2's own errors are no OSErrors, so a refusal passes.
        raise httpcore2.ConnectError(f"{host} cannot be resolved: {error}") from error
