"""`.venv` at the root of the checkout, exactly as the lock files say; made before anything of ours is imported."""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NoReturn

from config.launch.directory import read_json, write_private
from config.launch.failure import LaunchError

Kind = Literal["run", "dev"]
LOCKS: dict[str, str] = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
LOCAL_MODEL_LOCK = "requirements-local-model.lock"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_UNREACHABLE = (
    "name resolution", "NewConnectionError", "ConnectionError", "ConnectTimeout", "Network is unreachable", "dns error",
    "error sending request", "client error (Connect)", "Connection refused", "Could not connect", "Max retries",
    "Name or service not known", "getaddrinfo", "nodename nor servname",
)  # fmt: skip
_DISK_FULL = ("No space left on device", "os error 28")


def python_of(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def inside(root: Path) -> bool:
    """Whether this interpreter is the one of `.venv`."""
    return (root / ".venv").exists() and os.path.samefile(sys.prefix, root / ".venv")


def ensure(root: Path, kind: Kind) -> Path:
    """Make `.venv` what the lock asks for, unless it is that already. Returns its Python. Raises LaunchError."""
    try:
        with _alone(root):
            marker = read_json(root / ".venv" / "remit.json") or {}
            wanted: Kind = "dev" if marker.get("kind") == "dev" else kind
            expected = {"kind": wanted, "python": PYTHON, "lock": _hash(root / LOCKS[wanted])}
            if marker != expected or not python_of(root).exists():
                _install(root, expected)
    except OSError as error:
        raise LaunchError(f"{root / '.venv'} could not be made: {error}") from error
    return python_of(root)


def ensure_local_model(root: Path) -> None:
    """Add the small local model to `.venv`, unless it is there already. Raises LaunchError."""
    lock, marker = root / LOCAL_MODEL_LOCK, _local_model_marker(root)
    try:
        with _alone(root):
            expected = {"python": PYTHON, "lock": _hash(lock)}
            if read_json(marker) == expected:
                return
            print(f"Adding the local model ({lock.name}, 125 MB) to {root / '.venv'}.", flush=True)
            marker.unlink(missing_ok=True)
            _fill(root, lock, _working_uv(), alone=False)
            write_private(marker, json.dumps(expected) + "\n")
    except OSError as error:
        raise LaunchError(f"The local model could not be added to {root / '.venv'}: {error}") from error


def become(root: Path, arguments: Sequence[str]) -> NoReturn:
    """Go on as the Python of `.venv` with these arguments."""
    python = str(python_of(root))
    os.execv(python, [python, *arguments])  # noqa: S606 - no shell is wanted


def hold(root: Path) -> None:
    """Keep `.venv` from being replaced by another Python's while this process lives."""
    fcntl.flock(os.open(root / ".venv", os.O_RDONLY), fcntl.LOCK_SH)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Two commands on a fresh checkout must not install into the same folder at the same time."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _install(root: Path, expected: dict[str, str]) -> None:
    place, marker = root / ".venv", root / ".venv" / "remit.json"
    uv = _working_uv()
    usable = python_of(root).exists() and (place / "lib" / f"python{PYTHON}").is_dir()
    lock = root / LOCKS[expected["kind"]]
    print(
        f"Installing what {lock.name} names into {place} (Python {PYTHON}); the first time takes a minute.", flush=True
    )
    # First: whatever interrupts us, the next command starts again. uv removes what the lock does not name.
    marker.unlink(missing_ok=True)
    _local_model_marker(root).unlink(missing_ok=True)
    if not usable:
        _make(place, uv)
    _fill(root, lock, uv, alone=True)
    write_private(marker, json.dumps(expected) + "\n")


def _fill(root: Path, lock: Path, uv: str | None, *, alone: bool) -> None:
    """Install exactly what the lock names; with `alone` uv also removes all else. Raises LaunchError."""
    place, python = root / ".venv", str(python_of(root))
    # The lock is complete. Asked to resolve, pip takes a newer release for a requirement with an extra, and then
    # refuses it for want of a hash.
    exactly = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    by_uv = ["pip", "sync" if alone else "install", *exactly, "--python", python, *([] if alone else ["-r"]), str(lock)]
    by_pip = ["-m", "pip", "install", *exactly, "--retries", "2", "-r", str(lock)]
    # Where uv cannot reach its index pip may still reach its own: each has its own configuration.
    for command in [*([[uv, *by_uv]] if uv else []), [python, *by_pip]]:
        if command[0] == python and not (place / "bin" / "pip").exists():
            _check(place, _run([python, "-m", "ensurepip"]))
        answer = _run(command)
        if answer.returncode == 0:
            return
    _check(place, answer)


def _local_model_marker(root: Path) -> Path:
    return root / ".venv" / "remit-local-model.json"


def _make(place: Path, uv: str | None) -> None:
    if place.exists():
        _refuse_if_held(place)
    if uv:
        _check(place, _run([uv, "venv", "--clear", "--python", sys.executable, str(place)]))
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise LaunchError(
            f"Python {PYTHON} lacks venv or ensurepip: install them (Debian: apt-get install python3-venv) or uv, "
            "then start again."
        )
    _check(place, _run([sys.executable, "-m", "venv", "--clear", str(place)]))


def _refuse_if_held(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LaunchError(
            f"{place} is not of Python {PYTHON} and an `up` runs from it: stop that one, or use its Python."
        ) from None
    finally:
        os.close(descriptor)


def _working_uv() -> str | None:
    found = shutil.which("uv")
    return found if found and _run([found, "--version"]).returncode == 0 else None


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    settings = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0", "NO_COLOR": "1"}
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | settings,
    )


def _check(place: Path, answer: "subprocess.CompletedProcess[str]") -> None:
    if answer.returncode == 0:
        return
    if any(word in answer.stdout for word in _DISK_FULL):
        raise LaunchError(f"The disk that holds {place} is full: free about 1 GB and start again.")
    if any(word in answer.stdout for word in _UNREACHABLE):
        raise LaunchError(
            "The package index could not be reached: check the network, or the index that pip and uv are "
            "configured for, then start again."
        )
    lines = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith("error")]
    program = Path(answer.args[0]).name
    raise LaunchError(f"{place} could not be made, {program} says: {(telling or lines or ['nothing'])[-1]}")


def _hash(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()
