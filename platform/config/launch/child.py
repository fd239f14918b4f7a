"""A process that dies with the one that started it.

This file is both a module (`start`) and the small program that stands between parent and child: it arranges the
death signal, leaves root's identity where the child refuses root, and becomes the child by exec. A program of its own
and not `preexec_fn`, which is unsafe as soon as the parent has threads (pytest-xdist has).
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_INNER_UID = 1000

AS_OURSELVES = "self"
IN_USER_NAMESPACE = "namespace"


def start(
    command: Sequence[str],
    *,
    death_signal: signal.Signals,
    environment: Mapping[str, str],
    output: IO[bytes],
    identity: str = AS_OURSELVES,
    directory: Path | None = None,
    watch: bool = not sys.platform.startswith("linux"),
) -> "subprocess.Popen[bytes]":
    """Start `command` so that it gets `death_signal` when this process ends, however it ends.

    Call it from a thread that lives as long as the process: Linux ties the death signal to the starting thread.
    `identity` is AS_OURSELVES, IN_USER_NAMESPACE, or a user id as text. The child has a session of its own, so that
    a Ctrl-C in the terminal reaches the parent alone. With `watch` (systems without a parent-death signal) the process
    returned is the watcher, which passes signals on and ends with the child's exit code.
    """
    return subprocess.Popen(
        [*shim(identity, death_signal, watch=watch), *command],
        stdin=subprocess.PIPE if watch else subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd=directory,
        start_new_session=True,
    )


def shim(
    identity: str,
    death_signal: signal.Signals = signal.SIGKILL,
    *,
    watch: bool = False,
) -> list[str]:
    """The words to put before a command."""
    way = "watch" if watch else "signal"
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(death_signal.value), identity, way]


def _main(arguments: list[str]) -> int:
    parent, death_signal, identity, way, *command = arguments
    _take_identity(identity)
    if way == "watch":
        return _watch(command, int(death_signal))
    # After the change of identity, which clears it.
    if sys.platform.startswith("linux"):
        _libc_call("prctl", _PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):  # the parent died before the line above
        return 1
    return os.execvp(command[0], command)  # noqa: S606 - to become the child is what this program is for


def _take_identity(identity: str) -> None:
    if identity == AS_OURSELVES:
        return
    uid, gid = os.getuid(), os.getgid()
    if identity == IN_USER_NAMESPACE:
        _libc_call("unshare", _CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{_INNER_UID} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{_INNER_UID} {gid} 1")
        return
    os.setgroups([])
    os.setgid(int(identity))
    os.setuid(int(identity))


def _libc_call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*(ctypes.c_ulong(value) for value in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _watch(command: list[str], death_signal: int) -> int:
    """Run `command`; when standard input ends, the parent is gone and the child is told so."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    threading.Thread(target=_pass_on_the_end_of_input, args=(child, death_signal), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _pass_on_the_end_of_input(child: "subprocess.Popen[bytes]", death_signal: int) -> None:
    while os.read(0, 1):
        pass
    child.send_signal(death_signal)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
