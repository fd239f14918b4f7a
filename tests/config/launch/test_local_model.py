"""The optional local model in the launcher: added to `.venv` from its own lock, run as a part, on a port of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from config.launch import environment, options
from config.launch.directory import DataDirectory
from config.launch.failure import LaunchError
from config.launch.programs import Programs
from tests.config.launch.wheels import build_wheel, installed, installers

pytestmark = pytest.mark.slow  # whole processes

MARKER = "remit-local-model.json"


@pytest.fixture
def checkout(root: Path) -> Path:
    """A made environment, beside a lock of the local model that names `tiny`, which needs a package that is nowhere."""
    line = build_wheel(root, "1.0", package="tiny", needs="no-such-package")
    (root / environment.LOCAL_MODEL_LOCK).write_text(f"--no-index\n--find-links {root}\n{line}")
    environment.ensure(root, "run")
    return root


@installers
def test_it_is_added_once_without_what_it_names(
    checkout: Path,
    installer: str,
    choose: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    choose(installer)
    capfd.readouterr()
    environment.ensure_local_model(checkout)
    assert capfd.readouterr().out.count("\n") == 1
    assert (installed(checkout, "tiny"), installed(checkout)) == ("1.0", "1.0")
    environment.ensure_local_model(checkout)
    environment.ensure(checkout, "run")
    assert capfd.readouterr().out == ""


@installers
def test_after_a_change_of_either_lock_it_is_whole_again(
    checkout: Path,
    installer: str,
    choose: Callable[[str], None],
) -> None:
    choose(installer)
    environment.ensure_local_model(checkout)
    shutil.copy(checkout / "requirements-dev.lock", checkout / "requirements.lock")
    environment.ensure(checkout, "run")
    assert not (checkout / ".venv" / MARKER).exists()
    environment.ensure_local_model(checkout)
    assert (installed(checkout, "tiny"), installed(checkout)) == ("1.0", "2.0")
    line = build_wheel(checkout, "1.1", package="tiny", needs="no-such-package")
    (checkout / environment.LOCAL_MODEL_LOCK).write_text(f"--no-index\n--find-links {checkout}\n{line}")
    environment.ensure_local_model(checkout)
    assert (installed(checkout, "tiny"), installed(checkout)) == ("1.1", "2.0")


@installers
def test_another_package_than_the_locked_one_is_refused(
    checkout: Path,
    installer: str,
    choose: Callable[[str], None],
) -> None:
    choose(installer)
    lock = checkout / environment.LOCAL_MODEL_LOCK
    lock.write_text(lock.read_text()[:-9] + "00000000\n")
    with pytest.raises(LaunchError, match=r"^[^\n]+$"):
        environment.ensure_local_model(checkout)
    assert not (checkout / ".venv" / MARKER).exists()
    assert installed(checkout, "tiny") == ""


@installers
def test_without_a_network_one_line_says_so(
    checkout: Path,
    installer: str,
    choose: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose(installer)
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    lock = checkout / environment.LOCAL_MODEL_LOCK
    lock.write_text(f"--index-url http://127.0.0.1:1/simple\n{lock.read_text().splitlines()[-1]}\n")
    with pytest.raises(LaunchError, match="package index could not be reached"):
        environment.ensure_local_model(checkout)
    assert not (checkout / ".venv" / MARKER).exists()


def test_it_is_a_part_that_knows_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMIT_SEALING_KEY", "secret")
    added = {"REMIT_LOCAL_MODEL_URL": "http://127.0.0.1:20001/v1", "DATABASE_URL": "postgresql://x", "BROKER_URL": "x"}
    parts = Programs(tmp_path, DataDirectory(tmp_path), added).serving(8000)
    assert [part.name for part in parts] == ["local-model", "web", "worker", "scheduler"]
    assert list(parts[0].command[1:]) == ["-m", "config.local_model", "--port", "20001"]
    assert not {"REMIT_SEALING_KEY", "DATABASE_URL", "BROKER_URL"} & parts[0].environment.keys()


def test_two_models_never_share_a_port(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    for name in ("rehearsal", "local-model"):
        (tmp_path / f"{name}.port").write_text("20002\n")
    chosen = options.read(tmp_path, ["--local-model", "--data-dir", str(tmp_path)])
    added = options.environment(chosen, directory)
    assert added["REMIT_REHEARSAL_URL"] != added["REMIT_LOCAL_MODEL_URL"]
    assert options.environment(chosen, directory) == added
