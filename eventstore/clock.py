"""The clock that commands are stamped with: that of the database, not that of this machine.

Times that one process writes are compared by others and by the database, so they all come from one clock. A process
reads its own monotonic clock, which no change of the system's time touches, and adds how far the database is ahead of
it. Each comparison bounds that offset: the database read its clock after the question was sent and before the answer
came. The offset moves only as far as a new pair of bounds asks for, so a slow answer cannot spoil a good one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

Clock = Callable[[], datetime]

LARGE_SECONDS = 1.0
"""A difference between this machine's clock and the database's that is logged."""

EARLY_SECONDS = 0.25
"""The process that receives work less than this before its time waits for that time."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class DatabaseClock:
    """Calling it gives the time of the database in UTC. Until the first comparison it is this machine's time."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        system: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._system = system
        self._offset_seconds = system() - monotonic()
        self._compared = False
        self._logged_seconds = 0.0

    def __call__(self) -> datetime:
        """The time now, with a time zone."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def seconds(self) -> float:
        """The time now in seconds since 1970."""
        return self._monotonic() + self._offset_seconds

    def monotonic(self) -> float:
        """The time of the monotonic clock, for `compare`."""
        return self._monotonic()

    def compare(self, asked_at: float, answered_at: float, database_seconds: float) -> None:
        """The database's clock read `database_seconds` at some moment between these two of `monotonic`."""
        earliest, latest = database_seconds - answered_at, database_seconds - asked_at
        if self._compared:
            self._offset_seconds = min(max(self._offset_seconds, earliest), latest)
        else:
            self._offset_seconds = (earliest + latest) / 2
        self._compared = True
        self._log_difference()

    def _log_difference(self) -> None:
        """Log when the clocks begin to differ, when the difference changes, and when it is over."""
        ahead_seconds = self._system() - self.seconds()
        if abs(ahead_seconds - self._logged_seconds) < LARGE_SECONDS:
            return
        if abs(ahead_seconds) >= LARGE_SECONDS:
            _log.warning("clock_differs_from_database", ahead_seconds=round(ahead_seconds, 1))
            self._logged_seconds = ahead_seconds
        else:
            _log.info("clock_agrees_with_database")
            self._logged_seconds = 0.0


async def wait_if_early(due_at: datetime, now: datetime, clock: Clock) -> datetime:
    """Wait for work that is due within EARLY_SECONDS; return the time then.

    Return `now` for work that is due now or later than that.
    """
    seconds = (due_at - now).total_seconds()
    if not 0 < seconds <= EARLY_SECONDS:
        return now
    await asyncio.sleep(seconds)
    return max(clock(), due_at)
