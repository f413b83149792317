"""The newest events of one run with readers in this process, each encoded once for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from runs.event import Event

T = TypeVar("T")

BUFFER_EVENTS = 512


class Topic(Generic[T]):
    """A window on the end of a run's log: `buffer` holds the encoded events up to `head`, without gap.

    `final`: `head` is `complete`, nothing will follow. `sealed`: the run can be erased.
    """

    def __init__(self, run_id: str, head: int, buffer_events: int = BUFFER_EVENTS) -> None:
        self.run_id = run_id
        self.head = head
        self.final = False
        self.sealed = False
        self.readers = 0
        self._buffer: deque[tuple[int, T]] = deque(maxlen=buffer_events)
        self._waiting = set[asyncio.Future[bool]]()

    @property
    def readers_waiting(self) -> int:
        return len(self._waiting)

    def extend(self, events: Sequence[Event], encode: Callable[[Event], T]) -> bool:
        """Take those of `events` that follow `head`, and wake the readers. False when some before them are missing."""
        if not events or events[-1].seq <= self.head:
            return True
        if events[0].seq > self.head + 1:
            return False
        for event in events[self.head + 1 - events[0].seq :]:
            self._buffer.append((event.seq, encode(event)))
        self.head = events[-1].seq
        self.final = events[-1].type == "complete"
        self.sealed = events[-1].sealed
        self.wake()
        return True

    def after(self, seq: int) -> list[tuple[int, T]] | None:
        """All that follows `seq`; None where the window begins later than that."""
        if seq >= self.head:
            return []
        first = self._buffer[0][0] if self._buffer else self.head + 1
        if first > seq + 1:
            return None
        return [self._buffer[index] for index in range(seq + 1 - first, len(self._buffer))]

    def drop_window(self) -> None:
        """Forget the events up to `head`: readers that are behind it find none here."""
        self._buffer.clear()

    def wake(self) -> None:
        """Let every waiting reader look again."""
        waiting, self._waiting = self._waiting, set[asyncio.Future[bool]]()
        for reader in waiting:
            _answer(reader, True)

    async def changed(self, timeout_seconds: float) -> bool:
        """Wait for the next `wake`; False when none comes in time."""
        loop = asyncio.get_running_loop()
        reader: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(timeout_seconds, _answer, reader, False)
        self._waiting.add(reader)
        try:
            return await reader
        finally:
            timer.cancel()
            self._waiting.discard(reader)


def _answer(reader: asyncio.Future[bool], woken: bool) -> None:
    if not reader.done():
        reader.set_result(woken)
