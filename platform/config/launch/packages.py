"""Whether this Python has what Remit needs, for commands that do not make `.venv` themselves."""

import importlib.util

from config.launch.failure import LaunchError


def require_packages() -> None:
    """Raises LaunchError where this Python has no Django, and so nothing of what we need."""
    if importlib.util.find_spec("django") is None:
        raise LaunchError(
            "Remit's packages are not installed here yet: start `python3 manage.py up` (or `test`), which makes "
            ".venv, or use a Python that has what requirements.lock names."
        )
