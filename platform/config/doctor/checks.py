"""All checks, in the order in which they are answered."""

from collections.abc import Iterator

from config.doctor import database, installation
from config.doctor.finding import Check, Finding, run

CHECKS: tuple[Check, ...] = (
    installation.versions,
    database.postgres,
    database.migrations,
    database.roles,
    database.row_level_security,
    database.append_only,
    database.partitions,
    database.clock,
    installation.broker,
    installation.processes,
    installation.keys,
    installation.disk,
)


def examine() -> Iterator[Finding]:
    """Every finding, as it is made."""
    for check in CHECKS:
        yield from run(check)
