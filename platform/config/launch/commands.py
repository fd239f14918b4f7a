"""What manage.py does before Django: `up`, `test`, and the right interpreter and environment for all other commands."""

import os
import sys
from pathlib import Path


def take_over(root: str, argv: list[str]) -> None:
    """Returns only if the command is Django's own and this is the interpreter to run it."""
    python = Path(root) / ".venv" / "bin" / "python"
    if not python.exists() or Path(sys.prefix).resolve() == python.parent.parent.resolve():
        return
    os.execv(python, [str(python), *argv])
