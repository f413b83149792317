"""The queue of appends that wait for a writer."""

from __future__ import annotations

import asyncio
from collections import deque

from eventstore.batch import PendingAppend

MAX_BATCH_APPENDS = 64
MAX_BATCH_BYTES = 1_000_000


class AppendQueue:
    """Appends that wait for a writer."""

    def __init__(self) -> None:
        self._waiting: deque[PendingAppend] = deque()
        self._idle: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, append: PendingAppend) -> None:
        """Add one and wake a writer."""
        self._waiting.append(append)
        self._wake()

    async def take(self) -> list[PendingAppend]:
        """The next batch, as soon as there is one: no run twice, no append whose caller was cancelled."""
        while not (batch := self._pick()):
            idle = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle
        if self._waiting:
            self._wake()
        return batch

    def _wake(self) -> None:
        while self._idle:
            # The writer that became free last: under low load all appends go over one connection, whose caches are
            # warm.
            idle = self._idle.pop()
            if not idle.done():
                idle.set_result(None)
                return

    def _pick(self) -> list[PendingAppend]:
        batch: list[PendingAppend] = []
        later: list[PendingAppend] = []
        runs: set[str] = set()
        size_bytes = 0
        while self._waiting and len(batch) < MAX_BATCH_APPENDS and size_bytes < MAX_BATCH_BYTES:
            append = self._waiting.popleft()
            if append.answer.done():
                continue  # its caller was cancelled while it was queued: withdrawn
            if append.run_id in runs:
                later.append(append)
                continue
            runs.add(append.run_id)
            batch.append(append)
            size_bytes += append.size_bytes
        self._waiting.extendleft(reversed(later))
        return batch
