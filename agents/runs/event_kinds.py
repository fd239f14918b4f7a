"""The kinds of events that are streamed: a browser hears only those that it listens for by name."""

RUN_WORDS = (
    "queued", "started", "waiting", "resumed", "pausing", "unpaused", "succeeded", "failed", "cancelled", "expired",
)  # fmt: skip
STEP_WORDS = ("intended", "succeeded", "failed", "refused", "unknown", "waiting", "repeated")
EVENT_KINDS = (*(f"run.{word}" for word in RUN_WORDS), *(f"step.{word}" for word in STEP_WORDS))
# What the data of an event may hold that anybody who sees the run may read: facts, and never what was said.
EVENT_FACTS = frozenset(
    {"step", "kind", "name", "state", "reason", "resolved", "waits_for", "former", "relation", "summary", "before"}
)
