"""`.venv`: really installed, from a wheel that the tests build, by uv where it is and by pip where it is not."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.launch import environment
from config.launch.failure import LaunchError
from tests.config.launch.wheels import build_wheel, installed, installers

pytestmark = pytest.mark.slow  # whole processes


def refusal(root: Path) -> str:
    with pytest.raises(LaunchError) as caught:
        environment.ensure(root, "run")
    assert "\n" not in str(caught.value)
    assert not (root / ".venv" / "remit.json").exists()
    return str(caught.value)


@installers
def test_it_holds_what_the_lock_names(root: Path, installer: str, choose: Callable[[str], None]) -> None:
    choose(installer)
    python = environment.ensure(root, "run")
    assert installed(root) == "1.0"
    answer = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
    assert Path(answer.stdout.strip()) == root / ".venv"


@installers
def test_only_a_changed_lock_installs_again(
    root: Path, installer: str, choose: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    choose(installer)
    environment.ensure(root, "run")
    assert "Installing" in capfd.readouterr().out
    environment.ensure(root, "run")
    assert capfd.readouterr().out == ""
    shutil.copy(root / "requirements-dev.lock", root / "requirements.lock")
    environment.ensure(root, "run")
    assert installed(root) == "2.0"


@installers
def test_a_newer_release_that_the_lock_does_not_name_is_left_alone(
    root: Path, installer: str, choose: Callable[[str], None]
) -> None:
    choose(installer)
    top = f"--no-index\n--find-links {root}\n"
    needed = build_wheel(root, "1.5", package="needed")
    build_wheel(root, "1.6", package="needed")
    needing = build_wheel(root, "1.0", package="needing", needs="needed[more]>=1")
    (root / "requirements.lock").write_text(top + needed + needing)
    environment.ensure(root, "run")
    assert installed(root, "needed") == "1.5"


def test_up_is_content_with_an_environment_for_tests(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    environment.ensure(root, "run")
    environment.ensure(root, "dev")
    assert installed(root) == "2.0"
    capfd.readouterr()
    environment.ensure(root, "run")
    assert capfd.readouterr().out == ""
    assert installed(root) == "2.0"


def test_an_interrupted_installation_is_done_again(root: Path) -> None:
    environment.ensure(root, "run")
    (root / ".venv" / "remit.json").unlink()
    (root / ".venv" / "lib" / f"python{environment.PYTHON}" / "site-packages" / "little.py").unlink()
    (root / ".venv" / "bin" / "python").unlink()
    environment.ensure(root, "run")
    assert installed(root) == "1.0"


def test_an_environment_of_another_python_is_replaced(root: Path) -> None:
    environment.ensure(root, "run")
    (root / ".venv" / "lib" / f"python{environment.PYTHON}").rename(root / ".venv" / "lib" / "python3.9")
    marker = root / ".venv" / "remit.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"python": "3.9"}))
    environment.ensure(root, "run")
    assert installed(root) == "1.0"


def test_an_environment_from_which_up_runs_is_not_replaced(root: Path) -> None:
    environment.ensure(root, "run")
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); from config.launch import environment\n"
        "environment.hold(pathlib.Path(sys.argv[2])); print('held', flush=True); sys.stdin.read()"
    )
    platform = Path(__file__).resolve().parents[3] / "platform"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(platform), str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        (root / ".venv" / "remit.json").unlink()
        (root / ".venv" / "lib" / f"python{environment.PYTHON}").rename(root / ".venv" / "lib" / "python3.9")
        assert "an `up` runs from it" in refusal(root)
        assert (root / ".venv" / "lib" / "python3.9").exists()
    finally:
        holder.communicate()


@installers
def test_a_package_that_is_not_the_locked_one_is_refused(
    root: Path, installer: str, choose: Callable[[str], None]
) -> None:
    choose(installer)
    lock = root / "requirements.lock"
    lock.write_text(lock.read_text()[:-9] + "00000000\n")
    assert "could not be made" in refusal(root)
    assert installed(root) == ""


@installers
def test_without_a_network_it_says_so(
    root: Path, installer: str, choose: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(installer)
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    line = (root / "requirements.lock").read_text().splitlines()[-1]
    (root / "requirements.lock").write_text(f"--index-url http://127.0.0.1:1/simple\n{line}\n")
    assert "package index could not be reached" in refusal(root)


def test_without_ensurepip_it_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = environment.importlib.util.find_spec
    monkeypatch.setattr(environment, "_working_uv", lambda: None)
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "ensurepip" else real(name, *rest)
    )
    assert "apt-get install python3-venv" in refusal(root)


def test_on_a_full_disk_it_says_so(root: Path) -> None:
    place = root / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        for lock in ("requirements.lock", "requirements-dev.lock"):
            shutil.copy(root / lock, place / lock)
        with (place / "ballast").open("wb") as file:
            file.write(bytes(shutil.disk_usage(place).free))
        assert "is full" in refusal(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)
