"""The record: what happened, by whom, and why; append-only, sealed into a log that anyone can verify."""
