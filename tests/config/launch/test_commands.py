"""manage.py before Django: the right interpreter, and one line where it cannot go on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.launch import commands, environment, options

ROOT = Path(__file__).resolve().parents[3]


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, cwd=ROOT)


def test_an_old_python_reads_what_it_lacks() -> None:
    answer = run(
        "import runpy, sys; sys.version_info = (3, 9, 1); sys.version = '3.9.1 (main)'\n"
        "runpy.run_path('manage.py', run_name='__main__')"
    )
    assert answer.returncode == 2
    assert answer.stderr == "Remit needs Python 3.11 or newer, this is 3.9.1.\n"


def test_without_packages_a_command_says_what_makes_them(tmp_path: Path) -> None:
    """A checkout on which nothing was started yet, and a Python that has no Django."""
    (tmp_path / "platform/config").mkdir(parents=True)
    shutil.copy(ROOT / "manage.py", tmp_path)
    shutil.copy(ROOT / "platform/config/__init__.py", tmp_path / "platform/config")
    shutil.copytree(ROOT / "platform/config/launch", tmp_path / "platform/config/launch")
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "manage.py", "doctor"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Remit's packages are not installed here yet: start `python3 manage.py up`")
    assert answer.stderr.count("\n") == 1


def test_the_launcher_needs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); sys.path.insert(0, 'platform'); import config.launch.commands\n"
        "names = {name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)\n"
        "print(*sorted(names))"
    )
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (answer.stdout, answer.stderr) == ("config\n", "")


def test_pythons_own_platform_module_stays_itself() -> None:
    answer = run("import sys; sys.path[:0] = ['.', 'platform']; import platform; print(platform.system() != '')")
    assert answer.stdout == "True\n"


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (["--port", "0"], "argument --port: a port lies between 1 and 65535"),
        (["--port", "many"], "argument --port: a port lies between 1 and 65535"),
        (["--data-dir", ""], "argument --data-dir: name a directory"),
    ],
)
def test_a_bad_option_is_told_in_words(
    tmp_path: Path, chosen: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read(tmp_path, chosen)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"manage.py up: error: {told}"


def test_the_suite_is_started_before_any_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With them pytest-django would read the settings before the suite's database has an address."""
    started = []
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings")
    monkeypatch.setattr(environment, "ensure", lambda _root, kind: started.append(kind))
    monkeypatch.setattr(environment, "become", lambda _root, arguments: started.append(arguments))
    monkeypatch.chdir(ROOT)
    commands._test(ROOT, ["tests/config"])
    commands._test(ROOT, ["-n", "4", "--pdb"])
    assert started == ["dev", ["-m", "pytest", "-n", "2", "tests/config"], "dev", ["-m", "pytest", "-n", "4", "--pdb"]]
    assert "DJANGO_SETTINGS_MODULE" not in os.environ


def test_a_bad_option_is_explained_before_anything_happens(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, ROOT / "manage.py", "up", "--port", "99999"], capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.returncode == 2
    assert "a port lies between 1 and 65535" in answer.stderr


def test_options_have_their_defaults_and_paths_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = options.read(tmp_path, [])
    assert (chosen.port, chosen.data_dir, chosen.no_sample, chosen.local_model) == (
        8000,
        tmp_path / "var",
        False,
        False,
    )
    assert options.read(tmp_path, ["--data-dir", "elsewhere"]).data_dir == tmp_path / "elsewhere"
    monkeypatch.setenv("REMIT_DATA_DIR", "/srv/remit")
    assert options.read(tmp_path, []).data_dir == Path("/srv/remit")
