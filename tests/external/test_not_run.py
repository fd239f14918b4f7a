"""What is absent is reported as not run: never as passed, and as a failure where it is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDY = """
import pytest

@pytest.mark.external(modules=("no_such_engine", "json"), programs=("no-such-program",))
def test_needs_what_is_nowhere():
    raise AssertionError

@pytest.mark.external(modules=("json",), programs=("sh",))
def test_needs_what_is_here():
    pass

@pytest.mark.browser
def test_looks(request):
    raise AssertionError
"""


def run(folder: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    (folder / "test_needy.py").write_text(NEEDY)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  external: x\n  browser: x\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REMIT_", "PYTEST_", "DJANGO_"))}
    kept |= {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | environment
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.not_run", "-p", "no:cacheprovider", *options, "test_needy.py"],
        cwd=folder, env=kept, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_absence_is_told_in_the_closing_summary(tmp_path: Path, workers: tuple[str, ...]) -> None:
    answer = run(tmp_path, *workers, "-k", "needs")
    assert answer.returncode == 0
    lines = [line.strip("= ") for line in answer.stdout.splitlines()]
    assert "1 test: no_such_engine and no-such-program are not installed" in lines[lines.index("not run") :]
    assert lines[-1].startswith("1 passed,")
    assert ", 1 not run in " in lines[-1]


def test_where_it_is_required_absence_fails(tmp_path: Path) -> None:
    answer = run(tmp_path, "-k", "needs", REMIT_REQUIRE_EXTERNAL="1")
    assert answer.returncode == 1
    assert "are not installed, and REMIT_REQUIRE_EXTERNAL=1 says that this must run" in answer.stdout
    assert "1 passed, 1 deselected, 1 error in" in answer.stdout


@pytest.mark.slow
def test_a_browser_is_found_by_its_variable_or_on_the_path(tmp_path: Path) -> None:
    absent = run(tmp_path, "-k", "looks", PATH=str(tmp_path))
    assert "1 test: Chromium is not installed" in absent.stdout
    assert absent.returncode == 0
    assert run(tmp_path, "-k", "looks", PATH=str(tmp_path), REMIT_REQUIRE_BROWSER="1").returncode == 1
    present = run(tmp_path, "-k", "looks", PATH=str(tmp_path), REMIT_CHROMIUM="/opt/chromium")
    assert "AssertionError" in present.stdout
