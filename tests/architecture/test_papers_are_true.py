"""What the papers name exists: files in docs/ and in what code says, and the classes of the vocabulary."""

import ast
import re
from pathlib import Path
from typing import Any

NAMED = re.compile(r"`((?:platform|agents|governance|templates|tests|docs|\.ci)/[\w./-]*)`")
PAPER = re.compile(r"\bdocs/[\w-]+\.md\b")
CLASS = re.compile(r"\*\* ((?:`\w+` ?)+)|by its `(\w+)`")


def _papers(root: Path) -> list[Path]:
    return [*sorted((root / "docs").glob("*.md")), *(root / name for name in ("README.md", "CHANGELOG.md"))]


def test_named_paths_exist(root: Path):
    missing = sorted(
        f"{paper.relative_to(root)} names {path}"
        for paper in _papers(root)
        if paper.exists()
        for path in NAMED.findall(paper.read_text())
        if not (root / path).exists()
    )
    assert not missing, f"{'; '.join(missing)}: say where it stands now, or take it out."


def test_papers_that_code_names_exist(root: Path, sources: list[Any]):
    missing = sorted(
        f"{source.name} names {paper}"
        for source in sources
        for paper in PAPER.findall(source.text)
        if not (root / paper).exists()
    )
    assert not missing, f"{'; '.join(missing)}: write the paper, or name another."


def test_the_vocabulary_speaks_of_what_is_there(root: Path, sources: list[Any]):
    classes = {node.name for source in sources for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)}
    rows = [line for line in (root / "docs" / "vocabulary.md").read_text().splitlines() if line.startswith("| **")]
    named = {name for row in rows for found in CLASS.finditer(row) for name in re.findall(r"\w+", found.group())}
    gone = sorted(named - classes - {"by", "its"})
    assert len(named) > 30, "The guard sees almost no words: mend its expression."
    assert not gone, f"docs/vocabulary.md calls {', '.join(gone)} classes: take them out, or name them as code does."
