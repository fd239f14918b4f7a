"""Connecting a tool to a Postgres server: by its credential alone, and only to an address that may be reached."""

from typing import Any, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict

from agents.tools.port import ToolRefusedError
from foundation.outbound.addresses import Allowance, checked_addresses
from foundation.outbound.errors import OutboundRefusedError

CONNECT_TIMEOUT = 5  # seconds
DEFAULT_PORT = 5432

# Only these parts of a connection string are taken over: the others name files, services or options of this machine.
_TAKEN = ("host", "port", "dbname", "user", "password", "sslmode")
_NEEDED = ("host", "dbname", "user", "password")


def connection_values(secret: str | None) -> dict[str, str]:
    """The parts of a connection string that may be used; nothing is completed from this machine. ToolRefusedError."""
    try:
        given = conninfo_to_dict(secret or "")
    except psycopg.ProgrammingError:
        # Not chained: the message of the parser quotes the string.
        raise ToolRefusedError("The credential is no connection string: set it anew on the connector.") from None
    values = {name: str(given[name]) for name in _TAKEN if given.get(name)}
    missing = [name for name in _NEEDED if name not in values]
    if missing:
        raise ToolRefusedError(f"The credential lacks {', '.join(missing)}: set it anew on the connector.")
    if values["host"].startswith(("/", "@")):
        raise ToolRefusedError("The credential names a socket of this machine: give a host name or address.")
    return values


def connect(secret: str | None, *, allowance: Allowance, purpose: str) -> psycopg.Connection[Any]:
    """A new connection, to an address that was checked. ToolRefusedError, surely before anything was sent."""
    values = connection_values(secret)
    try:
        port = int(values.get("port", DEFAULT_PORT))
        address = checked_addresses(values["host"], port, allowance, CONNECT_TIMEOUT)[0]
        # The name stays beside the address, for the certificate; libpq does not resolve it again.
        known = cast("dict[str, Any]", values | {"hostaddr": address})
        return psycopg.connect(**known, connect_timeout=CONNECT_TIMEOUT, application_name=f"remit ({purpose})")
    except OutboundRefusedError as error:
        raise ToolRefusedError(str(error)) from None
    except (psycopg.Error, OSError, ValueError):
        # Not chained: messages of the driver may hold parts of the connection string.
        raise ToolRefusedError("The database cannot be reached: try again later.") from None
