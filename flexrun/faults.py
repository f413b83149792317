"""Faults that a process does not survive: it ends with a status that says which, and its supervisor starts it again."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

from eventstore.background import BACKGROUND_TASK
from flexrun.shutdown import STOP_SECONDS

EXIT_TASK_ENDED = 70
"""A task that is meant to run until the process stops has ended. The log says which: `task_ended`."""

EXIT_STOP_OVERRUN = 72
"""A requested stop did not finish, for example because a capability's thread cannot be cancelled."""

LAST_SECONDS = STOP_SECONDS + 2.0
"""How long an orderly stop may take beyond the drain (and the notice) before the process ends without it."""


def end_after(seconds: float, status: int) -> None:
    """End the process with `status` after `seconds`, also in the middle of work."""
    end = threading.Timer(seconds, os._exit, [status])
    end.daemon = True
    end.start()


class Stopping:
    """Waits for the reason to stop: a signal (status 0) or a fault (its exit status)."""

    def __init__(self, drain_seconds: float) -> None:
        self.status = 0
        self.interrupted = False
        """Whether it was SIGINT: a person at a terminal, who does not want to wait for callers."""
        self._drain_seconds = drain_seconds
        self._asked = asyncio.Event()

    def ask(self, number: int = signal.SIGTERM) -> None:
        """Stop gracefully, because of this signal; only the first one counts."""
        if not self._asked.is_set():
            self.interrupted = number == signal.SIGINT
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        """Whether this process is to stop."""
        return self._asked.is_set()

    async def asked(self) -> None:
        """Return when this process is to stop."""
        await self._asked.wait()

    def on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The event loop's exception handler: what asyncio does, and the stop where a background task has ended."""
        if BACKGROUND_TASK not in context:
            loop.default_exception_handler(context)
            return
        if self._asked.is_set():
            return
        # Work in flight is handed back if possible: the part that ended may be needed for that.
        self.status = EXIT_TASK_ENDED
        end_after(self._drain_seconds + LAST_SECONDS, EXIT_TASK_ENDED)
        self._asked.set()
