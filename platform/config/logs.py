"""Logs: one JSON object a line on standard error, with secrets taken out."""

import logging
import sys
from typing import Any

import structlog

from foundation.secrets.redaction import redact_event


def configure(wanted: dict[str, Any]) -> None:
    """Route structlog and the standard library through one formatter, from `wanted["level"]` upwards."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(wanted["level"])
    for noisy in ("httpx2", "httpcore2", "openai", "kombu"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
