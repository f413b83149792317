"""Errors of a capability as text for the log."""

from __future__ import annotations

import traceback

from schemas.clean_text import MESSAGE_CHARACTERS, clean_text
from schemas.redaction import redact

TRACEBACK_CHARACTERS = 8_000


def describe_error(error: BaseException) -> str:
    """`ValueError: its message`, also for an exception whose `__str__` raises."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a capability's __str__ may raise anything
        text = "(its message cannot be read)"
    # Redacted before the last cut, which may end within a secret, and cut after that: it may have become longer.
    near = clean_text(
        f"{type(error).__name__}: {text}" if text else type(error).__name__, 2 * MESSAGE_CHARACTERS
    )
    return clean_text(redact(near))


def describe_traceback(error: BaseException) -> str:
    """The last frames of an exception and of its causes, in a bounded number of characters.

    Pretty printers of exceptions are for our own ones: a message of a megabyte would block the event loop for minutes.
    """
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 3:
        frames = "".join(traceback.format_tb(cause.__traceback__, limit=-10))
        causes.append(f"{frames}{describe_error(cause)}")
        cause = cause.__cause__ or cause.__context__
    return clean_text("\ncaused by\n".join(causes), TRACEBACK_CHARACTERS)
