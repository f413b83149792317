"""How many pieces of work a consumer does at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Slots:
    """Counts work in flight; `on_free` is called, in the loop, each time that a slot is freed."""

    def __init__(self, total: int, on_free: Callable[[], None]) -> None:
        if total < 1:
            raise ValueError(f"a consumer needs at least one slot, not {total}")
        self.total = total
        self.busy = 0
        self._on_free = on_free
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def free(self) -> int:
        return self.total - self.busy

    def take(self) -> bool:
        """Take a slot; False where all are taken."""
        if self.busy >= self.total:
            return False
        self.busy += 1
        self._idle.clear()
        return True

    def give_back(self) -> None:
        """Free a slot."""
        self.busy -= 1
        if self.busy == 0:
            self._idle.set()
        self._on_free()

    async def drained(self, seconds: float) -> bool:
        """Wait until nothing is in flight; False when `seconds` are over first."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
