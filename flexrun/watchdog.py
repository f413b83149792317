"""A thread that detects a hung event loop: it logs where, and in the end ends the process.

The loop shows that it turns by a callback every tick. The thread counts its own ticks since the loop last turned, each
as no longer than a tick and a half, so that a process that was stopped, a machine that slept and a clock that jumped
are no false alarm: meanwhile this thread did not tick either.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any

import pydantic.dataclasses
import structlog

from eventstore.task_names import names_of
from schemas.config import Period, Seconds, require_longer

EXIT_STALLED = 71
"""The event loop did not turn for too long. The log says where: `loop_stalled`."""

_TICKS = 8
_LONGEST_TICK = 1.5
_FRAMES = 30
_STACK_CHARACTERS = 8_000
_LAST_WORD_SECONDS = 3.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("flexrun")


@pydantic.dataclasses.dataclass(frozen=True, slots=True)
class WatchdogConfig:
    """After how many seconds without a turn of the loop its stack is logged, and the process ended (0: never)."""

    warn_seconds: Period = 2.0
    exit_seconds: Seconds = 10.0

    def __post_init__(self) -> None:
        """Raise ValueError where a process would end before its stack is logged."""
        if self.exit_seconds:
            require_longer("exit_seconds", self.exit_seconds, "warn_seconds", self.warn_seconds)


class Watchdog:
    """Watches the loop that it is started on. `farewell` is called in the thread before the end, with what blocked."""

    def __init__(
        self,
        worker: str,
        roles: Sequence[str],
        config: WatchdogConfig,
        *,
        farewell: Callable[[dict[str, Any]], None] = lambda _: None,
        on_turn: Callable[[], None] = lambda: None,
        end: Callable[[int], Any] = os._exit,
    ) -> None:
        self._worker = worker
        self._roles = ",".join(sorted(roles))
        self._config = config
        self._farewell = farewell
        self._on_turn = on_turn
        self._end = end
        self._tick_seconds = config.warn_seconds / _TICKS
        self._turns = 0
        self._closed = threading.Event()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Watchdog:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._turn()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        if self._timer is not None:
            self._timer.cancel()

    def _turn(self) -> None:
        self._turns += 1
        self._on_turn()
        self._timer = self._loop.call_later(self._tick_seconds, self._turn)

    def _watch(self) -> None:
        turns, still, warned = self._turns, 0.0, False
        before = time.monotonic()
        while not self._closed.wait(self._tick_seconds):
            now = time.monotonic()
            passed, before = min(now - before, self._tick_seconds * _LONGEST_TICK), now
            if self._turns != turns:
                if warned:
                    _log.warning("loop_turns_again", still_seconds=round(still, 1), worker=self._worker)
                turns, still, warned = self._turns, 0.0, False
                continue
            still += passed
            if still >= self._config.warn_seconds and not warned:
                warned = True
                self._tell("loop_stalled", still)
            if 0 < self._config.exit_seconds <= still:
                self._end_process(still)
                return

    def _tell(self, event: str, still: float) -> None:
        _log.critical(
            event,
            still_seconds=round(still, 1),
            role=self._roles,
            worker=self._worker,
            # The one way to another thread's stack; the docs of `sys` describe it.
            stack=_stack_of(sys._current_frames().get(self._loop_thread)),  # pyright: ignore[reportPrivateUsage]
            **self._blocking(),
        )

    def _blocking(self) -> dict[str, Any]:
        """What the task that blocks the loop is working on, where it has noted that."""
        return names_of(asyncio.current_task(self._loop))

    def _end_process(self, still: float) -> None:
        # Neither a log without a reader nor a database that does not answer may delay this process's end.
        last = threading.Timer(_LAST_WORD_SECONDS, self._end, [EXIT_STALLED])
        last.daemon = True
        last.start()
        try:
            blocking = self._blocking()
            self._tell("process_ended_by_watchdog", still)
            self._farewell(blocking)
        finally:
            last.cancel()
            self._end(EXIT_STALLED)


def _stack_of(frame: FrameType | None) -> str:
    """The innermost frames, in a bounded number of characters."""
    if frame is None:
        return ""
    frames = traceback.StackSummary.extract(_newest(frame), lookup_lines=True)
    return "".join(frames.format())[-_STACK_CHARACTERS:]


def _newest(frame: FrameType | None) -> list[tuple[FrameType, int]]:
    found: list[tuple[FrameType, int]] = []
    while frame is not None and len(found) < _FRAMES:
        found.append((frame, frame.f_lineno))
        frame = frame.f_back
    return found[::-1]
