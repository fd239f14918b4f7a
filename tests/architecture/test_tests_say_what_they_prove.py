"""Every module of tests begins with a sentence that says what it proves."""

import ast
from pathlib import Path


def test_each_has_a_docstring(root: Path):
    modules = sorted((root / "tests").rglob("*.py"))
    assert modules, "There are no tests: mend the path in this guard."
    mute = [
        module.relative_to(root).as_posix()
        for module in modules
        if not ast.get_docstring(ast.parse(module.read_text()))
    ]
    assert not mute, f"Begin {', '.join(mute)} with a docstring: one sentence that says what it proves."


def test_none_is_skipped_for_good(root: Path):
    """A test that never runs looks like one that passes."""
    skipped = sorted(
        f"{module.relative_to(root).as_posix()}:{node.lineno}"
        for module in (root / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in {"skip", "xfail"}
        and ast.unparse(node.value) in {"pytest.mark", "mark"}
    )
    assert not skipped, f"Mend or delete {', '.join(skipped)}; what needs an outside program asks for it with skipif."
