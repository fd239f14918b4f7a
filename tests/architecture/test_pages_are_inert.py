"""Pages hold no script, no style and no address of others: the content security policy would refuse them all."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEND = "Put styles into a file under static/remit/css, behaviour into static/remit/js, and serve every file ourselves."
FORBIDDEN = {
    "an inline style": re.compile(r"<style\b|\sstyle\s*=\s*[\"']", re.IGNORECASE),
    "an inline script": re.compile(r"<script\b(?![^>]*\ssrc=)|<script\b[^>]*>\s*[^\s<]", re.IGNORECASE),
    "an event handler": re.compile(r"\son(?!e\b|ly\b|ce\b)[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "an hx-on attribute": re.compile(r"\bhx-on[:=-]", re.IGNORECASE),
    "a script as a value": re.compile(r"[\"'\s](js|javascript)\s*:", re.IGNORECASE),
    "an address of others": re.compile(
        r"\b(src|srcset|href|action|poster|data|hx-[a-z-]+)\s*=\s*[\"']?\s*(https?:)?//"
    ),
}
FROM_OTHERS = re.compile(
    r"(@import|url\(|fetch\(|import\(|import\s+[^;]*from|new EventSource\()\s*[\"']?\s*(https?:)?//"
)
EVALUATES = re.compile(r"\beval\s*\(|\bnew\s+Function\b|\.innerHTML\s*=|\bdocument\.write\b")
SERVED = ("platform/foundation/web/static",)
WRITES_NO_PAGES = "platform/config/"


def _faults(text: str) -> Iterator[tuple[int, str]]:
    for name, pattern in FORBIDDEN.items():
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, name


def _told(found: list[str]) -> str:
    return f"{'; '.join(found)}. {MEND}"


def test_templates(root: Path):
    pages = sorted((root / "templates").rglob("*.html"))
    assert pages, "There are no templates: mend the path in this guard."
    found = [
        f"{page.relative_to(root)}:{line} holds {name}" for page in pages for line, name in _faults(page.read_text())
    ]
    assert not found, _told(found)


def test_markup_that_code_writes(sources: list[Any]):
    found = [
        f"{source.name}:{node.lineno} writes {name}"
        for source in sources
        if not source.name.startswith(WRITES_NO_PAGES)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "<" in node.value
        for _, name in _faults(node.value)
    ]
    assert not found, _told(found)


def test_our_scripts_and_styles(root: Path):
    files = [
        file
        for place in SERVED
        for kind in ("*.js", "*.css")
        for file in sorted((root / place).rglob(kind))
        if "vendor" not in file.parts
    ]
    assert files, "There are no scripts and styles: mend the path in this guard."
    found = [
        f"{file.relative_to(root)} holds {match.group()}"
        for file in files
        for pattern in (FROM_OTHERS, EVALUATES)
        for match in pattern.finditer(file.read_text())
    ]
    assert not found, _told(found)


def test_the_guard_sees():
    bad = [
        "<p style='color:red'>", "<style>p{}</style>", "<script>go()</script>", "<script src=a.js>go()</script>",
        "<a onclick='go()'>", "<a hx-on:click='go()'>", "<a hx-vals='js:{a: 1}'>", "<a href='javascript:go()'>",
        "<img src='https://example.org/a.png'>", "<link href=//example.org/a.css>",
    ]  # fmt: skip
    assert [text for text in bad if not list(_faults(text))] == []
    good = "<svg xmlns='http://www.w3.org/2000/svg'><a href='/runs/' hx-get='/runs/' class='on'>style = on</a></svg>"
    assert list(_faults(good + '<script defer src="/static/app.js"></script>')) == []
