"""Settings of worker processes that tests start: the product's own, and the witness's connector kind."""

from config.settings import *  # noqa: F403 - all of them
from config.settings import CONNECTOR_KINDS as OURS

CONNECTOR_KINDS = {**OURS, "witness": "tests.houses.WitnessKind"}
