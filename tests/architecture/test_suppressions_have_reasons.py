"""A check that is switched off names itself and its reason; nothing is switched off wholesale."""

import io
import re
import tokenize
from collections.abc import Iterator
from typing import Any

CODED = re.compile(r"#\s*type:\s*ignore\[[a-z0-9, -]+\]\s*#\s*\S")
REASONED = re.compile(r"#\s*noqa:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*\s+-\s+\S")


def _bare(text: str) -> Iterator[int]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        ignores = re.search(r"#\s*type:\s*ignore", token.string) and not CODED.search(token.string)
        silences = re.search(r"#\s*(flake8|ruff)?:?\s*noqa", token.string) and not REASONED.search(token.string)
        if ignores or silences:
            yield token.start[0]


def test_each_names_its_code_and_reason(sources: list[Any]):
    found = [f"{source.name}:{line}" for source in sources for line in _bare(source.text)]
    assert not found, (
        f"Say what is switched off and why, or mend it: {', '.join(found)}. Write `# type: ignore[code]  # reason` or "
        "`# noqa: CODE - reason`."
    )


def test_the_guard_sees():
    text = (
        "a = 1  # type: ignore\n"
        "b = 1  # type: ignore[attr-defined]\n"
        "c = 1  # type: ignore[attr-defined]  # Django's own\n"
        "d = 1  # noqa\n"
        "e = 1  # noqa: S101\n"
        "f = 1  # noqa: S101, S105 - a name\n"
        "g = '# noqa'\n"
    )
    assert list(_bare(text)) == [1, 2, 4, 5]
