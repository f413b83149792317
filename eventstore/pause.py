"""The pause between two tries of a loop that goes on until it is closed."""

from __future__ import annotations

import asyncio


class DoublingPause:
    """A pause that is twice as long each time, from `first_seconds` to `longest_seconds`."""

    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self.seconds = first_seconds

    async def wait(self) -> None:
        """Wait for the pause, and double the next one."""
        seconds, self.seconds = self.seconds, min(self.seconds * 2, self._longest_seconds)
        await asyncio.sleep(seconds)

    def reset(self) -> None:
        """A try has succeeded: the next pause is the first again."""
        self.seconds = self._first_seconds
