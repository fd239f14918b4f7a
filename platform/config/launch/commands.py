"""What manage.py does before Django: `up`, `test`, and the right interpreter and environment for all other commands."""

import os
import sys
from pathlib import Path

from config.launch import environment, up
from config.launch.directory import DataDirectory, read_json
from config.launch.failure import LaunchError
from config.launch.packages import require_packages


def take_over(root: str, argv: list[str]) -> None:
    """Returns only if the command is Django's own and this is the interpreter to run it."""
    command = argv[1] if len(argv) > 1 else ""
    try:
        if command == "up":
            sys.exit(up.main(Path(root), argv))
        if command == "test":
            _test(Path(root), argv[2:])
        if environment.python_of(Path(root)).exists() and not environment.inside(Path(root)):
            environment.become(Path(root), argv)
        require_packages()
        if "DATABASE_URL" not in os.environ:
            _borrow_environment(Path(root))
        # One thread needs no pool, whose own thread would outlive a command that finds no database.
        os.environ["REMIT_POOL_SIZE"] = "0"
    except LaunchError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _test(root: Path, arguments: list[str]) -> None:
    environment.ensure(root, "dev")
    if os.environ.get("REMIT_REQUIRE_EXTERNAL") == "1":
        environment.ensure_local_model(root)
    own_workers = any(
        argument.startswith(("-n", "--numprocesses", "--pdb", "--trace", "-pno:xdist")) or argument == "no:xdist"
        for argument in arguments
    )
    os.chdir(root)
    # With it pytest-django would read the settings now, before the database of the suite has an address.
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    environment.become(root, ["-m", "pytest", *([] if own_workers else ["-n", "2"]), *arguments])


def _borrow_environment(root: Path) -> None:
    """Speak to the database of the `up` that runs, if one does; what the operator has set stays."""
    directory = DataDirectory(Path(os.environ.get("REMIT_DATA_DIR") or root / "var"))
    running = read_json(directory.run / "environment.json")
    if running is None or not directory.in_use():
        return
    for name, value in running["environment"].items():
        os.environ.setdefault(name, value)
