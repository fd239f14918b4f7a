"""`python -m config.sample.rehearsal --port P`: serve the rehearsal model until a signal ends it."""

import argparse

import uvicorn

from config.sample.rehearsal.application import Rehearsal


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="rehearsal", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--latency-ms", type=int, default=40)
    arguments = parser.parse_args()
    uvicorn.run(
        Rehearsal(arguments.latency_ms / 1000),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
