"""Stopping gracefully and in time: the parts that work stop concurrently, then what they depend on.

A supervisor kills what takes too long, and then all work in progress is lost. So there is one deadline for the whole
stop: a part that does not close in its time is cancelled, which is logged, and the next one is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

STOP_SECONDS = 8.0
"""How long a stop may take beyond the drain and the notice."""

_WORK_SECONDS = 4.0
"""How much of that is for what follows the drain: work that it has cut is reported as lost, or handed back."""

_LEAST_SECONDS = 0.2
"""What each part gets after the deadline, so that connections are closed all the same."""

Close = Callable[[], Awaitable[None]]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("flexrun")


class Shutdown:
    """The stop of one process, which begins when `work` is called. `drain_seconds` is how long work may continue.

    `notice_seconds` is how long a gateway answers 503 before it stops listening: 0 unless set before the stop begins.
    """

    def __init__(self, drain_seconds: float) -> None:
        self.notice_seconds = 0.0
        self._drain_seconds = drain_seconds
        self._working: list[tuple[str, Close]] = []
        self._deadline: float | None = None

    def add(self, name: str, close: Close) -> None:
        """Add a part that works, to be stopped concurrently with the others."""
        self._working.append((name, close))

    async def work(self) -> None:
        """Stop everything that works, at the same time."""
        self._begin()
        seconds = self.notice_seconds + self._drain_seconds + _WORK_SECONDS
        await asyncio.gather(*(self._within(seconds, name, close) for name, close in self._working))

    async def foundation(self, name: str, close: Close) -> None:
        """Close a part that others depended on, in the time that is left."""
        left = self._begin() - asyncio.get_running_loop().time()
        await self._within(max(left, _LEAST_SECONDS), name, close)

    def _begin(self) -> float:
        if self._deadline is None:
            now = asyncio.get_running_loop().time()
            self._deadline = now + self.notice_seconds + self._drain_seconds + STOP_SECONDS
        return self._deadline

    async def _within(self, seconds: float, name: str, close: Close) -> None:
        try:
            async with asyncio.timeout(seconds):
                await close()
        except TimeoutError:
            _log.warning("stop_cut_short", part=name, after_seconds=round(seconds, 1))
        # The others are closed all the same.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("stop_failed", part=name)
