"""Starts one of the product's programs with the fake model in the real one's place: `-m MODULE …` or `FILE …`."""

import os
import runpy
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.settings")
django.setup()

import agents.runs.engine  # noqa: E402, F401 - all that imports the real call by its name must be there
from tests.benchmarks.noop import answer_in_process  # noqa: E402


def main() -> None:
    """Become the program."""
    answer_in_process()
    words = sys.argv[1:]
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
