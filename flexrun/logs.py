"""Structured logs: coloured lines on a terminal, one JSON object per line elsewhere, always on standard error.

Lines of libraries, warnings and unhandled exceptions are such lines too, and every line names the role and the worker.
All text of a line has passed through `_made_safe`: secrets are redacted, terminal control characters are escaped.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any, Literal, cast

import orjson
import structlog

from schemas.redaction import redact, secrets_known
from schemas.visible import visible

Format = Literal["auto", "json", "console"]

_LONGEST_TEXT = 20_000
_SHORT_TEXT = 100
_MAX_DEPTH = 8

_process: dict[str, str] = {}
_correlation_id_of: Callable[[str], str | None] | None = None


def configure_logs(level: str = "info", log_format: Format = "auto") -> None:
    """Set up the log of this process; libraries that log through `logging` are limited to warnings."""
    set_log_level(level)
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_process,
        _with_run,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Plain tracebacks: the rich ones print local variables, which may be megabytes of callers' documents.
        structlog.processors.format_exc_info,
        _made_safe,
    ]
    if console:
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
        factory = structlog.WriteLoggerFactory(file=sys.stderr)
    else:
        processors.append(structlog.processors.JSONRenderer(serializer=_json_line))
        factory = structlog.BytesLoggerFactory(file=sys.stderr.buffer)
    structlog.configure(
        processors=processors,
        wrapper_class=_Levelled,
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()])
    logging.captureWarnings(True)
    sys.excepthook = _log_exception
    threading.excepthook = _log_thread_exception


class _Levelled(structlog.make_filtering_bound_logger(logging.INFO)):
    """The logger of this process. Modules keep theirs, so a change of the level changes this class."""


def set_log_level(level: str) -> None:
    """Log what is at least so severe from now on."""
    made = structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()])
    for name, method in vars(made).items():
        if not name.startswith("__"):
            setattr(_Levelled, name, method)


def identify_process(role: str, worker: str) -> None:
    """Name this process in all lines from now on."""
    _process.update(role=role, worker=worker)


def know_runs(correlation_id_of: Callable[[str], str | None]) -> None:
    """Look up the correlation id of runs that lines name without one."""
    global _correlation_id_of  # noqa: PLW0603 - the log is one for the process, as its configuration is
    _correlation_id_of = correlation_id_of


def writes_json() -> bool:
    """Whether the log of this process is JSON, so that a sentence for a person does not belong between its lines."""
    return any(
        isinstance(each, structlog.processors.JSONRenderer) for each in structlog.get_config()["processors"]
    )


def _shortened(text: str) -> str:
    """A traceback or a library's message; an error may quote megabytes of a caller's document."""
    left_out = len(text) - _LONGEST_TEXT
    if left_out <= 0:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]} … {left_out} characters left out … {text[-half:]}"


def safe_text(text: str) -> str:
    """A text for the log or for standard error: without secrets, and safe to look at; its lines stay lines."""
    return visible(redact(text), block=True)


def _library_log() -> structlog.typing.FilteringBoundLogger:
    return structlog.get_logger(
        "flexrun"
    )  # not kept: it would keep the settings and the stream of its first line


class _ToStructlog(logging.Handler):
    """For libraries that log through `logging`: `event` is their message, `logger` their name."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line as one of ours."""
        try:
            message = _shortened(record.getMessage())
        except Exception:  # noqa: BLE001 - a library whose format does not fit its arguments
            message = str(record.msg)
        level = min(max(record.levelno, logging.DEBUG), logging.CRITICAL) // 10 * 10
        _library_log().log(level, message, logger=record.name, exc_info=record.exc_info)


def _log_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _library_log().critical("unhandled_exception", exc_info=(kind, error, trace))


def _log_thread_exception(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread is not None else None
        exc_info = (args.exc_type, args.exc_value, args.exc_traceback)
        _library_log().critical("unhandled_exception", thread=name, exc_info=exc_info)


def _with_process(
    _logger: structlog.typing.WrappedLogger, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {**_process, **line}


def _with_run(
    _logger: structlog.typing.WrappedLogger, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Complete what lines about a run are joined by: the correlation id, and the node of work that is a node's."""
    run_id = line.get("run_id")
    if not isinstance(run_id, str):
        return line
    if line.get("correlation_id") is None and _correlation_id_of is not None:
        correlation_id = _correlation_id_of(run_id)
        if correlation_id is not None:
            line["correlation_id"] = correlation_id
    if "node_id" not in line and line.get("kind") == "node" and line.get("ref"):
        line["node_id"] = line["ref"]
    return line


def _made_safe(
    _logger: structlog.typing.WrappedLogger, _method: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The line with every text in it redacted and made visible; a traceback keeps its lines."""
    return {
        _safe_word(name): safe_text(_shortened(value))
        if name == "exception" and isinstance(value, str)
        else _safe(value)
        for name, value in line.items()
    }


def _safe(value: Any, depth: int = _MAX_DEPTH) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth and isinstance(value, dict):
        members = cast("dict[Any, Any]", value)
        return {_safe_word(str(name)): _safe(member, depth - 1) for name, member in members.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_safe(each, depth - 1) for each in cast("list[Any]", value)]
    return _safe_word(str(value))


def _safe_word(text: str) -> str:
    if len(text) > _SHORT_TEXT:
        return visible(redact(text[:_LONGEST_TEXT]))
    return _safe_short(text, secrets_known())


@lru_cache(maxsize=4_096)
def _safe_short(text: str, _secrets: int) -> str:
    """Names, and the ids of runs in progress, come again with each line; a new secret makes all of them new."""
    return visible(redact(text))


def _json_line(line: Any, **_options: Any) -> bytes:
    return orjson.dumps(line)  # `_made_safe` left nothing in it that steers or hides
