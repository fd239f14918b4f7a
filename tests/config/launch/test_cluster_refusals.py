"""What stands in the embedded Postgres's way is said in one line, and nothing is damaged."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.launch import initialise
from config.launch.cluster import Cluster
from config.launch.failure import LaunchError

pytestmark = pytest.mark.slow  # whole processes

QUICK = {"fsync": "off"}


def refusal(data_dir: Path) -> str:
    """The line with which a start is refused."""
    cluster = Cluster(data_dir, settings=QUICK)
    with pytest.raises(LaunchError) as caught:
        cluster.start()
    cluster.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_directory_of_another_version(data_dir: Path) -> None:
    with Cluster(data_dir, settings=QUICK):
        pass
    (data_dir / "postgres" / "PG_VERSION").write_text("15\n")
    before = contents(data_dir / "postgres")
    assert "was made by PostgreSQL 15, this Remit brings 18" in refusal(data_dir)
    assert contents(data_dir / "postgres") == before


def test_a_directory_of_something_else(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "novel.txt").write_text("Chapter one")
    assert "is no Postgres data directory" in refusal(data_dir)
    assert (data_dir / "postgres" / "novel.txt").read_text() == "Chapter one"


def test_a_directory_in_use_by_another_process(data_dir: Path) -> None:
    with Cluster(data_dir, settings=QUICK) as first:
        script = (
            "import sys, pathlib; sys.path.insert(0, sys.argv[1]); from config.launch.cluster import Cluster\n"
            "try: Cluster(pathlib.Path(sys.argv[2])).start()\n"
            "except Exception as error: print(error)"
        )
        platform = Path(__file__).resolve().parents[3] / "platform"
        other = subprocess.run(
            [sys.executable, "-c", script, str(platform), str(data_dir)], capture_output=True, text=True
        )
        assert "is in use by another `up`" in other.stdout
        assert first.execute("SELECT 1") == "1"


def test_unreadable_passwords_are_not_replaced_silently(data_dir: Path) -> None:
    with Cluster(data_dir, settings=QUICK):
        pass
    file = data_dir / "keys" / "database.json"
    file.write_text("{broken")
    assert "restore it from the backup" in refusal(data_dir)
    assert file.read_text() == "{broken"


def test_a_place_where_nothing_can_be_written(data_dir: Path) -> None:
    data_dir.parent.joinpath("file").write_text("")
    assert "cannot be written" in refusal(data_dir.parent / "file" / "var")


@pytest.fixture
def small_disk(data_dir: Path) -> Iterator[Path]:
    """A disk of 80 MB of our own."""
    place = data_dir.parent / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path, *, leaving: int) -> Path:
    """Occupy all of the disk but `leaving` bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - leaving)))
    return ballast


def test_a_disk_too_small_for_a_new_database(small_disk: Path) -> None:
    assert "is full" in refusal(small_disk / "var")
    assert not (small_disk / "var" / "postgres").exists()


@pytest.mark.parametrize("megabytes", [1, 10, 30, 45])
def test_a_disk_that_fills_while_a_database_is_made(
    small_disk: Path, megabytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initialise, "SPACE_FOR_A_NEW_ONE", 0)
    ballast = fill(small_disk, leaving=megabytes * 1024 * 1024)
    assert "is full" in refusal(small_disk / "var")
    assert not (small_disk / "var" / "postgres").exists()
    assert not (small_disk / "var" / "postgres.new").exists()
    ballast.unlink()
    with Cluster(small_disk / "var", settings=QUICK) as cluster:
        assert cluster.execute("SELECT 1") == "1"


def test_a_full_disk_at_a_later_start(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initialise, "SPACE_FOR_A_NEW_ONE", 0)
    with Cluster(small_disk / "var", settings=QUICK) as cluster:
        cluster.execute("CREATE TABLE thing AS SELECT 7 AS number", "remit")
    ballast = fill(small_disk, leaving=0)
    assert "is full" in refusal(small_disk / "var")
    ballast.unlink()
    with Cluster(small_disk / "var", settings=QUICK) as cluster:
        assert cluster.execute("SELECT number FROM thing", "remit") == "7"
