"""`manage.py verify_record`: the record against its signed checkpoints."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from config.shell import ShellCommand
from foundation.audit.export import export
from foundation.audit.leaves import log_of
from foundation.audit.models import INSTALLATION, AuditEntry, AuditLeaf, Checkpoint
from foundation.audit.sealing import ALIAS, public_keys
from foundation.audit.verification import verify


class Command(ShellCommand):
    """Exit code 1 when a log is not as it was signed."""

    help = "Verify the record of all organisations, or of one; optionally export it for an offline verifier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One organisation or all; with one, an export or a checkpoint kept elsewhere."""
        parser.add_argument(
            "organisation", nargs="?", type=UUID, help="its id, which stands first in each line; without it, all logs"
        )
        parser.add_argument("--checkpoint", type=Path, help="a checkpoint of this organisation that was kept elsewhere")
        parser.add_argument("--export", type=Path, help="write the log of this organisation to a file")
        parser.add_argument("--keys", action="store_true", help="print the public keys and do no more")

    def act(self, **options: Any) -> None:
        """Verify one log after the other; say what was found."""
        one: UUID | None = options["organisation"]
        if one is None and (options["checkpoint"] or options["export"]):
            raise CommandError("--checkpoint and --export need the id of one organisation.")
        try:
            witnessed = options["checkpoint"].read_text("utf-8") if options["checkpoint"] else ""
            if options["export"]:
                _write(options["export"], export(_organisation(one)))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"A file cannot be used: {error}") from error
        sound = [self._verified(log, witnessed, keys_only=options["keys"]) for log in _logs(one)]
        if not all(sound):
            raise CommandError(f"{sound.count(False)} of {len(sound)} logs are not as they were signed.")

    def _verified(self, log: UUID, witnessed: str, *, keys_only: bool) -> bool:
        if keys_only:
            self.stdout.write("\n".join(str(key) for key in public_keys(_organisation(log))))
            return True
        result = verify(_organisation(log), witnessed=witnessed)
        state = "ok" if result.ok else "BAD" if result.first_bad is None else f"BAD at {result.first_bad}"
        self.stdout.write(f"{log}: {state}: {result.message}")
        return result.ok


def _write(place: Path, lines: Iterable[str]) -> None:
    with place.open("w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def _logs(one: UUID | None) -> list[UUID]:
    """One, or all of which anything is left: whoever took a log's checkpoints away must not take it out of sight."""
    if one is not None:
        return [one]
    written = AuditEntry.objects.using(ALIAS).order_by().values_list("organisation_id", flat=True).distinct()
    found = {log_of(organisation) for organisation in written}
    for rows in (AuditLeaf.objects, Checkpoint.objects):
        found.update(rows.using(ALIAS).order_by().values_list("log", flat=True).distinct())
    return sorted(found)


def _organisation(log: UUID | None) -> UUID | None:
    return None if log in {None, INSTALLATION} else log
