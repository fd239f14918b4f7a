"""Files are short enough to be read at once: none over 400 lines, nine of ten at most 200.

Half of them have at most 60 lines that are not blank.
"""

import statistics
from typing import Any

LONGEST, NINE_OF_TEN, HALF = 400, 200, 60


def _shown(files: list[Any]) -> str:
    longest = sorted(files, key=lambda file: -file.lines)[:10]
    return "The longest: " + ", ".join(f"{file.name} ({file.lines})" for file in longest)


def test_files_are_short(sources: list[Any]):
    files = [source for source in sources if not source.is_migration]
    lengths = sorted(file.lines for file in files)
    long = [file.name for file in files if file.lines > LONGEST]
    assert not long, f"Split {', '.join(long)} by noun, never by kind: no file has more than {LONGEST} lines."
    ninth = lengths[len(lengths) * 9 // 10]
    assert ninth <= NINE_OF_TEN, (
        f"Nine of ten files must have at most {NINE_OF_TEN} lines, and now the limit is {ninth}: take the longest "
        f"apart. {_shown(files)}"
    )
    median = statistics.median(sum(1 for line in file.text.splitlines() if line.strip()) for file in files)
    assert median <= HALF, (
        f"Half of the files must have at most {HALF} lines that are not blank, and now the median of {len(files)} "
        f"files is {median}: give each noun of a long file a file of its own. {_shown(files)}"
    )
