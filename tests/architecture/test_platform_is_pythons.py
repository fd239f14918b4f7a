"""`import platform` is always the standard library's: from the root, in the worker, and in the tests."""

import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

from config.launch.directory import DataDirectory
from config.launch.programs import Programs

MEND = (
    "`import platform` is not the standard library's any more: delete platform/__init__.py (or the module called "
    "platform that stands on the path), and keep platform/ a plain folder."
)
ASK = "import platform; platform.system(); print(platform.__file__)"


def _is_pythons(file: str) -> bool:
    return Path(file).resolve().parent == Path(sysconfig.get_path("stdlib")).resolve()


def _answer(root: Path, question: str, environment: dict[str, str]) -> str:
    asked = subprocess.run(
        [sys.executable, "-c", question], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, f"{MEND} Python says: {asked.stderr.strip().splitlines()[-1:]}"
    return asked.stdout.strip()


def test_from_the_root(root: Path):
    assert _is_pythons(_answer(root, ASK, dict(os.environ))), MEND


def test_in_a_process_started_like_the_worker(root: Path, tmp_path: Path):
    """With the worker's own environment, after the module that Celery is told to load."""
    environment = Programs(root, DataDirectory(tmp_path), {}).environment()
    assert _is_pythons(_answer(root, f"import config.celery; {ASK}", environment)), MEND


def test_in_the_tests():
    assert platform.system()
    assert _is_pythons(str(platform.__file__)), MEND
