"""What docs/operating.md says of a backup and of restoring it, command by command, on embedded clusters."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from config.launch.cluster import Cluster

pytestmark = pytest.mark.slow  # whole clusters

ROOT = Path(__file__).resolve().parents[3]
UP = "python3 manage.py up --data-dir new --no-sample"


def blocks() -> list[str]:
    """The commands of the chapter on backups: to make one, to begin anew, to restore."""
    chapter = (ROOT / "docs" / "operating.md").read_text().partition("\n## Backup\n")[2].partition("\n## ")[0]
    return re.findall(r"```\n(.*?)```", chapter, re.DOTALL)


def manage(cluster: Cluster, data: Path, *command: str) -> None:
    given = os.environ | cluster.environment() | {"REMIT_DATA_DIR": str(data)}
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=given, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def running(data: Path) -> Iterator[Cluster]:
    """What `up` begins with on a data directory: its cluster, and the tables in it."""
    cluster = Cluster(data, settings={"fsync": "off"})
    try:
        cluster.start()
        manage(cluster, data, "migrate", "--database", "owner", "--no-input", "--verbosity", "0")
        yield cluster
    finally:
        cluster.stop()


def carry_out(folder: Path, *commands: str) -> None:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join(commands)], cwd=folder, capture_output=True,
                          text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr


def organisations(cluster: Cluster, role: str) -> int:
    with psycopg.connect(cluster.environment()[role]) as connection:
        row = connection.execute("SELECT count(*) FROM organisations_organisation").fetchone()
    assert row is not None
    return int(row[0])


def test_a_backup_is_restored_by_the_commands_of_the_document(data_dir: Path) -> None:
    folder = data_dir.parent
    (folder / ".venv").symlink_to(ROOT / ".venv")
    dump, begin, restore = blocks()
    assert begin.splitlines()[1] == UP
    with running(folder / "var") as former:
        (folder / "var" / "rehearsal.port").write_text("4711")
        manage(former, folder / "var", "create_organisation", "kept", "--administrator", "ada@example.org")
        carry_out(folder, dump)
    carry_out(folder, begin.splitlines()[0])
    with running(folder / "new") as anew:
        assert organisations(anew, "DATABASE_SYSTEM_URL") == 0
        known = dump.partition("superuser var\n")[0]
        carry_out(folder, known, restore)
        assert organisations(anew, "DATABASE_SYSTEM_URL") == 1
        assert organisations(anew, "DATABASE_URL") == 0, "row-level security stands"
        manage(anew, folder / "new", "verify_record")
        refused = anew.execute("SELECT has_database_privilege('public', 'remit', 'CONNECT')")
        assert refused == "f"
    assert (folder / "new" / "rehearsal.port").read_text() == "4711"
