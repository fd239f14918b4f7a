"""All checks, in the order in which they are answered."""

from collections.abc import Iterator

from config.doctor import database, installation
from config.doctor.finding import Check, Finding, run

BEFORE: tuple[Check, ...] = (installation.versions, database.postgres)
OF_DATABASE: tuple[Check, ...] = (
    database.migrations,
    database.roles,
    database.row_level_security,
    database.append_only,
    database.partitions,
    database.clock,
    installation.processes,
)
OF_MACHINE: tuple[Check, ...] = (installation.broker, installation.keys, installation.disk)


def examine() -> Iterator[Finding]:
    """Every finding, as it is made. Without a database, the checks in it are left out."""
    sound = True
    for check in BEFORE:
        for finding in run(check):
            sound = sound and finding.sound
            yield finding
    for check in (*(OF_DATABASE if sound else ()), *OF_MACHINE):
        yield from run(check)
