"""Faults that a process does not survive: it ends with a status that says which, and its supervisor starts it again."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from eventstore.lasting import LASTING_TASK

EXIT_TASK_ENDED = 70
"""A task that is meant to run until the process stops has ended. The log says which: `task_ended`."""

_LAST_SECONDS = 5.0
"""How long the orderly stop may take beyond the drain before the process ends without it."""


class Stopping:
    """Waits for the reason to stop: a signal (status 0) or a fault (its exit status)."""

    def __init__(self, drain_seconds: float) -> None:
        self.status = 0
        self._drain_seconds = drain_seconds
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Stop in good order."""
        self._asked.set()

    async def asked(self) -> None:
        """Return when this process is to stop."""
        await self._asked.wait()

    def on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The event loop's exception handler: what asyncio does, and the stop where a lasting task has ended."""
        if LASTING_TASK not in context:
            loop.default_exception_handler(context)
            return
        if self._asked.is_set():
            return
        # What works is given back in good order, but nobody may rely on it: the part that ended may be needed for that.
        self.status = EXIT_TASK_ENDED
        end = threading.Timer(self._drain_seconds + _LAST_SECONDS, os._exit, [EXIT_TASK_ENDED])
        end.daemon = True
        end.start()
        self._asked.set()
