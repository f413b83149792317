"""Structured logs: coloured lines on a terminal, one JSON object per line elsewhere, always on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import orjson
import structlog

Format = Literal["auto", "json", "console"]


def configure_logs(level: str = "info", log_format: Format = "auto") -> None:
    """Set up structlog for this process; libraries that log through `logging` are held to warnings."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if console:
        # Plain tracebacks: the rich ones print local variables, which may be megabytes of somebody's documents.
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
        factory = structlog.WriteLoggerFactory(file=sys.stderr)
    else:
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=str),
        ]
        factory = structlog.BytesLoggerFactory(file=sys.stderr.buffer)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
