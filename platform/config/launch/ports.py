"""Ports on 127.0.0.1."""

import random
import socket
import time

from config.launch.failure import LaunchError

# Outgoing connections take theirs from 32768 upwards and might hold one of ours at a restart.
_OURS = range(20_000, 32_000)


def is_free(port: int, *, patience: float = 0.0) -> bool:
    """Whether a server could listen there, now or within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                probe.listen(1)
            except OSError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.1)
            else:
                return True


def choose() -> int:
    """A free port, another one each time."""
    for port in random.sample(_OURS, 200):
        if is_free(port):
            return port
    raise LaunchError("No free port was found on 127.0.0.1 between 20000 and 32000: end what occupies them.")
