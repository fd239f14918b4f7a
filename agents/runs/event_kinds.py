"""The kinds of events that are streamed: a browser hears only those that it listens for by name."""

RUN_WORDS = (
    "queued", "started", "waiting", "resumed", "pausing", "unpaused", "succeeded", "failed", "cancelled", "expired",
)  # fmt: skip
STEP_WORDS = ("intended", "succeeded", "failed", "refused", "unknown", "waiting", "repeated")
EVENT_KINDS = (*(f"run.{word}" for word in RUN_WORDS), *(f"step.{word}" for word in STEP_WORDS))
