"""Imports stand at the top of a module: one inside a function hides a ring, which the layers are there to prevent."""

import ast
from collections.abc import Iterator
from typing import Any


def _hidden(tree: ast.Module) -> Iterator[int]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (node.lineno for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom))


def test_no_import_inside_a_function(sources: list[Any]):
    found = [f"{source.name}:{line}" for source in sources for line in sorted(set(_hidden(source.tree)))]
    assert not found, (
        f"Move to the top of the module: {', '.join(found)}. If that makes a ring, one of the two modules stands in "
        "the wrong layer."
    )


def test_the_guard_sees():
    source = (
        "import a\ndef f():\n    if x:\n        from b import c\nclass D:\n    async def g(self):\n        import e\n"
    )
    assert sorted(_hidden(ast.parse(source))) == [4, 7]
