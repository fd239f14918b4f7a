"""A disk on which every fsync takes longer, for one Postgres: no rights needed.

With a C compiler: a small library before the C library's own, which sleeps in `fsync` and `fdatasync`. Without one:
Postgres' `commit_delay`, which sleeps before each flush of the journal; that is milder, since commits that come
during the sleep still join the flush.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.launch import postgres

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <time.h>

static void delay(void) {
    struct timespec until;
    int saved = errno;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += DELAY_NS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    /* Signals must not shorten it. */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0) == EINTR) {}
    errno = saved;
}

int fsync(int fd) {
    delay();
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    delay();
    return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""


def way(milliseconds: float) -> str:
    """How it is done on this machine."""
    if not milliseconds:
        return "none"
    if shutil.which("cc"):
        return "a library loaded before libc sleeps in every fsync and fdatasync of Postgres"
    return "commit_delay of Postgres (no C compiler here): milder, commits that come during the sleep join the flush"


def settings(milliseconds: float) -> dict[str, str]:
    """What to add to Postgres' own settings."""
    if not milliseconds or shutil.which("cc"):
        return {}
    return {"commit_delay": str(int(1_000 * milliseconds)), "commit_siblings": "0"}


@contextmanager
def slowed(folder: Path, milliseconds: float) -> Iterator[None]:
    """A Postgres that is started in the block syncs so much more slowly for as long as it runs."""
    compiler, usual = shutil.which("cc"), postgres.environment
    if not milliseconds or compiler is None:
        yield
        return
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(_SOURCE)
    delay = f"-DDELAY_NS={int(1e6 * milliseconds)}L"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", delay, "-o", library, source, "-ldl"], check=True)
    # The user who runs Postgres reads it, too.
    folder.chmod(0o755)
    library.chmod(0o755)
    postgres.environment = lambda: usual() | {"LD_PRELOAD": str(library)}
    try:
        yield
    finally:
        postgres.environment = usual
