"""Settings of the processes that the benchmark of steps starts: the product's own, and the tool that does nothing."""

from config.settings import *  # noqa: F403 - all of them
from config.settings import CONNECTOR_KINDS as OURS

CONNECTOR_KINDS = {**OURS, "noop": "tests.benchmarks.noop.NoopKind"}
