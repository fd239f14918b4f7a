"""Tests whose outside program is absent are *not run*: told apart from passed ones in the closing summary, and failures
where the environment says that they must run.

A test says what it needs by `@pytest.mark.external(modules=(…), programs=(…))` or `@pytest.mark.browser`.
"""

import os
from collections import Counter
from importlib.util import find_spec
from shutil import which
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CATEGORY = "not run"
_BEGINNING = f"Skipped: {CATEGORY}: "


def chromium() -> str | None:
    """The path of the browser: what REMIT_CHROMIUM says, or what is on the PATH."""
    named = os.environ.get("REMIT_CHROMIUM")
    return named or next(filter(None, map(which, BROWSERS)), None)


def missing_of(item: pytest.Item) -> dict[str, list[str]]:
    """What a test lacks here, by the variable that makes its absence a failure."""
    lacks: dict[str, list[str]] = {}
    for marker in item.iter_markers("external"):
        modules = [name for name in marker.kwargs.get("modules", ()) if find_spec(name) is None]
        programs = [name for name in marker.kwargs.get("programs", ()) if which(name) is None]
        lacks.setdefault("REMIT_REQUIRE_EXTERNAL", []).extend(modules + programs)
    if item.get_closest_marker("browser") and chromium() is None:
        lacks["REMIT_REQUIRE_BROWSER"] = ["Chromium"]
    return {variable: names for variable, names in lacks.items() if names}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture."""
    for variable, names in missing_of(item).items():
        absent = f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} not installed"
        if os.environ.get(variable) == "1":
            pytest.fail(f"{absent}, and {variable}=1 says that this must run", pytrace=False)
        pytest.skip(f"{CATEGORY}: {absent}")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """A category of its own, which pytest counts in its last line."""
    return (CATEGORY, "n", "NOT RUN") if report.skipped and _reason(report).startswith(_BEGINNING) else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A section that names what was absent."""
    reports = terminalreporter.stats.get(CATEGORY, [])
    if not reports:
        return
    terminalreporter.section(CATEGORY)
    for reason, number in sorted(Counter(_reason(report).removeprefix(_BEGINNING) for report in reports).items()):
        terminalreporter.write_line(f"{number} {'test' if number == 1 else 'tests'}: {reason}")


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
