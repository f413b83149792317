"""Divides a long computation into slices, between which the event loop runs other tasks."""

from __future__ import annotations

import asyncio
import time

SLICE_SECONDS = 0.01
"""CPU seconds after which other tasks run: far less than a task may block the loop (50 ms)."""


class Slices:
    """Call `pause` at every step of a computation that may be long; while it is short that costs next to nothing."""

    def __init__(self) -> None:
        self._until = time.thread_time() + SLICE_SECONDS

    async def pause(self) -> None:
        """Yield to the event loop where the slice is used up."""
        if time.thread_time() >= self._until:
            await asyncio.sleep(0)
            self._until = time.thread_time() + SLICE_SECONDS
