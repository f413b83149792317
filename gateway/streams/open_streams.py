"""The streams that are open in this process, so that a shutdown can end them all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


class OpenStreams:
    """Ends streams by cancelling their tasks, whether these wait for an event or for a reader that has stalled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def closing(self) -> bool:
        return self._closing

    @contextmanager
    def opened(self) -> Generator[None]:
        """The time in which this task serves a stream. The end of all streams looks like the plain end of this one."""
        task = asyncio.current_task()
        assert task is not None, "a stream is served by a task"  # noqa: S101 - aiohttp runs each handler in one
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._closing:
                raise
            task.uncancel()
        finally:
            self._tasks.discard(task)

    def close(self) -> None:
        """End all streams; from now on `closing` tells that none is to be opened."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
