"""platform/, templates/ and tests/ are places: a folder with `__init__.py` would be a package and hide another one."""

from pathlib import Path

IMPORTED_AS = {"config", "console", "foundation", "agents", "governance"}
OF_THE_WHOLE = {"architecture", "invariants", "journeys", "benchmarks", "external"}


def test_platform_holds_no_module(root: Path):
    modules = sorted(file.name for file in (root / "platform").glob("*.py"))
    assert not modules, (
        f"platform/ holds {', '.join(modules)}: move each into a package under platform/. An `__init__.py` there "
        "hides Python's own `platform`, and breaks Celery, openai and pytest."
    )


def test_templates_hold_no_code(root: Path):
    code = sorted(file.relative_to(root).as_posix() for file in (root / "templates").rglob("*.py"))
    assert not code, f"Move {', '.join(code)} out of templates/: it holds pages only."


def test_tests_hold_no_package(root: Path):
    packages = sorted(file.relative_to(root).as_posix() for file in (root / "tests").rglob("__init__.py"))
    assert not packages, (
        f"Delete {', '.join(packages)}: with it a folder of tests hides the package that it is named after. "
        "Names of test files need not differ (import mode importlib)."
    )


def test_tests_mirror_the_names_of_imports(root: Path):
    folders = {
        entry.name for entry in (root / "tests").iterdir() if entry.is_dir() and not entry.name.startswith(("_", "."))
    }
    strange = sorted(folders - IMPORTED_AS - OF_THE_WHOLE)
    assert not strange, (
        f"tests/ holds {', '.join(strange)}: name a folder of tests after the package that it tests "
        f"({', '.join(sorted(IMPORTED_AS))}), or list it here with what it tests as a whole."
    )


def test_every_folder_of_code_is_a_package(root: Path):
    bare = sorted(
        {
            file.parent.relative_to(root).as_posix()
            for place in ("platform", "agents", "governance")
            for file in (root / place).rglob("*.py")
            if not (file.parent / "__init__.py").exists()
        }
    )
    assert not bare, f"Add an `__init__.py` with a line on its purpose to {', '.join(bare)}: imports must find it."
