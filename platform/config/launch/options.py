"""What the operator chose for `up`, and what follows from it for the programs' environment."""

import argparse
import os
from collections.abc import Collection
from pathlib import Path

from config.launch import ports
from config.launch.directory import DataDirectory


def read(root: Path, arguments: list[str]) -> argparse.Namespace:
    """port, data_dir (absolute), no_sample, local_model. Ends the process with exit code 2 on a bad option."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Start Remit and all that it needs, here.")
    parser.add_argument("--port", type=_port, default=8000, help="port on 127.0.0.1 (8000)")
    parser.add_argument(
        "--data-dir",
        type=_directory,
        default=Path(os.environ.get("REMIT_DATA_DIR") or root / "var").absolute(),
        help="where database, keys and logs live (var/, or REMIT_DATA_DIR)",
    )
    parser.add_argument("--no-sample", action="store_true", help="no sample organisation and no rehearsal model")
    parser.add_argument("--local-model", action="store_true", help="also run and offer a small real model (125 MB)")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 0 < number < 65536:  # noqa: PLR2004 - TCP's range
        raise argparse.ArgumentTypeError("a port lies between 1 and 65535")
    return number


def _directory(text: str) -> Path:
    # An empty one would be where the shell stands: most likely a variable that is not set.
    if not text.strip():
        raise argparse.ArgumentTypeError("name a directory")
    return Path(text).expanduser().absolute()


def environment(chosen: argparse.Namespace, directory: DataDirectory) -> dict[str, str]:
    """What the choice adds to the environment of all programs; what the operator has set is kept."""
    own = os.environ.get
    added = {
        "REMIT_DATA_DIR": str(directory.path),
        "REMIT_PUBLIC_URL": own("REMIT_PUBLIC_URL") or f"http://127.0.0.1:{chosen.port}",
    }
    if broker := own("BROKER_URL"):
        added["BROKER_URL"] = broker
    models = {} if chosen.no_sample else {"REMIT_REHEARSAL_URL": "rehearsal"}
    if chosen.local_model:
        models["REMIT_LOCAL_MODEL_URL"] = "local-model"
    taken: list[int] = []
    for variable, name in models.items():
        taken.append(_remembered_port(directory, name, taken))
        added[variable] = f"http://127.0.0.1:{taken[-1]}/v1"
    if taken:
        opened = (own("REMIT_OUTBOUND_ALLOW"), *(f"127.0.0.1:{port}" for port in taken))
        added["REMIT_OUTBOUND_ALLOW"] = ",".join(filter(None, opened))
    return added


def _remembered_port(directory: DataDirectory, name: str, taken: Collection[int]) -> int:
    """The same at every start, as a provider points to it; another one only if somebody took it."""
    file = directory.path / f"{name}.port"
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        port = 0
    usable = 0 < port < 65536 and port not in taken  # noqa: PLR2004 - TCP's range
    if not (usable and ports.is_free(port, patience=2.0)):
        port = next(port for port in iter(ports.choose, 0) if port not in taken)
        file.write_text(f"{port}\n")
    return port
