"""Reaching the shop: its tools connect to the database server of this installation, with the roles of the shop only."""

from typing import Any

import psycopg
from django.conf import settings

from agents.tools.port import ToolRefusedError
from agents.tools.postgres import DEFAULT_PORT, connect, connection_values
from agents.tools.sql import SqlConnector
from config.sample.database import PAYMENTS, READER
from foundation.outbound.addresses import Allowance


class SandboxOrders(SqlConnector):
    """The SQL connector, on the shop's database."""

    def connect(self, secret: str | None) -> psycopg.Connection[Any]:
        """To the shop, whatever the operator allowed to other connectors."""
        return connect_to_shop(secret)


def connect_to_shop(secret: str | None) -> psycopg.Connection[Any]:
    """A connection of one of the shop's roles. Raises ToolRefusedError, surely before anything was sent.

    The server usually has a private address, which other connectors may not reach; these roles see no table of ours.
    """
    values = connection_values(secret)
    place = _place(values["host"], values.get("port"))
    if place not in _own_servers() or not values["user"].startswith((READER, PAYMENTS)):
        raise ToolRefusedError("The credential is not one of the sample shop: run `manage.py seed_sample` again.")
    return connect(secret, allowance=Allowance.of({place}), purpose="sample shop")


def _own_servers() -> set[str]:
    databases = [settings.DATABASES[alias] for alias in ("default", "owner")]
    return {_place(database["HOST"], database["PORT"]) for database in databases}


def _place(host: str, port: str | None) -> str:
    bracketed = f"[{host.lower()}]" if ":" in host else host.lower()
    return f"{bracketed}:{port or DEFAULT_PORT}"
