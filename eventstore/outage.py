"""Logs outages: a line when a server cannot be reached, more at doubling intervals, and one when it is back.

Many loops of a process meet the same outage: writers, heartbeats, polls. They report to one `Outage` for each server,
so that a process logs six lines in the first minute and not one for each try of each loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import structlog

from schemas.redaction import redact

_FIRST_GAP_SECONDS = 1.0
_LONGEST_GAP_SECONDS = 600.0
_PASSING_SECONDS = 10.0
"""A part that works on demand may not try again; this long after its last failure it counts as working."""

_LONGEST_REASON = 300

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Outage:
    """An outage of one server, `what` ("database" or "broker"), as the parts of one process report it.

    It is over when every part that failed has worked again. Log events: `<what>_away` and `<what>_back`.
    """

    def __init__(self, what: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.what = what
        self._monotonic = monotonic
        self._failing: dict[str, float | None] = {}
        self._began_at = 0.0
        self._say_at = 0.0
        self._gap_seconds = _FIRST_GAP_SECONDS
        self._failures = 0

    @property
    def seconds(self) -> float | None:
        """The seconds since the outage began; None where there is none."""
        return self._monotonic() - self._began_at if self._failing else None

    def failed(self, part: str, reason: str, *, on_demand: bool = False) -> None:
        """`part` could not reach the server. With `on_demand` it may not try again, and the end does not wait for
        it."""
        now = self._monotonic()
        if not self._failing:
            self._began_at = self._say_at = now
            self._gap_seconds, self._failures = _FIRST_GAP_SECONDS, 0
        self._failing[part] = now + _PASSING_SECONDS if on_demand else None
        self._failures += 1
        if now >= self._say_at:
            self._say(now, reason)

    def worked(self, part: str) -> None:
        """`part` has reached the server, or has stopped trying."""
        if not self._failing:
            return
        self._failing.pop(part, None)
        now = self._monotonic()
        if all(until is not None and until <= now for until in self._failing.values()):
            self._failing.clear()
            seconds = round(now - self._began_at, 1)
            _log.info(
                f"{self.what}_back",
                message=f"back after {seconds:g} s",
                away_seconds=seconds,
                failures=self._failures,
            )

    def _say(self, now: float, reason: str) -> None:
        _log.warning(
            f"{self.what}_away",
            message=f"the {self.what} cannot be used; still trying",
            reason=redact(" ".join(reason.split()))[:_LONGEST_REASON],
            away_seconds=round(now - self._began_at, 1),
            failures=self._failures,
            waiting=sorted(self._failing),
            next_line_in_seconds=self._gap_seconds,
        )
        self._say_at = now + self._gap_seconds
        self._gap_seconds = min(self._gap_seconds * 2, _LONGEST_GAP_SECONDS)


def log_unexpected(event: str, error: BaseException) -> None:
    """Log an error that is not the database's, with its traceback; those of the database are outages."""
    if not isinstance(error, psycopg.Error):
        _log.error(event, exc_info=error)
