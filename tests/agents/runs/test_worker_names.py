"""A worker's name tells it from all others, also from the one that was in its place before."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# As the first process of a container has the same number each time, and the container its name of before.
_BEGUN_ANEW = "import os; os.getpid = lambda: 1; from agents.runs.presence import own_name; print(own_name())"


def test_a_worker_that_is_begun_anew_in_its_container_is_another_one() -> None:
    names = {
        subprocess.run(
            [sys.executable, "-c", f"import config.settings, django; django.setup(); {_BEGUN_ANEW}"],
            cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "DJANGO_SETTINGS_MODULE": "config.settings"},
            capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    }  # fmt: skip
    assert len(names) == 2
    assert all(":1" in name for name in names)
