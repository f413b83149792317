"""Long computations in slices: the event loop turns between them."""

from __future__ import annotations

import asyncio
import time

SLICE_SECONDS = 0.01
"""CPU time after which others get their turn: far less than a loop may be held (50 ms)."""


class Slices:
    """Call `pause` at every step of a computation that may be long; it costs nothing while that is short."""

    def __init__(self) -> None:
        self._until = time.thread_time() + SLICE_SECONDS

    async def pause(self) -> None:
        """Let the loop turn where the slice is used up."""
        if time.thread_time() >= self._until:
            await asyncio.sleep(0)
            self._until = time.thread_time() + SLICE_SECONDS
