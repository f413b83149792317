"""The streams that are open in this process, so that a shutdown can end them all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from gateway.scopes import Caller


class OpenStreams:
    """Ends streams by cancelling their tasks, whether these wait for an event or for a reader that has stalled."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], Caller] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def closing(self) -> bool:
        return self._closing

    @contextmanager
    def opened(self, caller: Caller) -> Generator[None]:
        """The time in which this task serves a stream to `caller`. That it is ended looks like its plain end."""
        task = asyncio.current_task()
        assert task is not None, "a stream is served by a task"  # noqa: S101 - aiohttp runs each handler in one
        self._tasks[task] = caller
        try:
            yield
        except asyncio.CancelledError:
            if not self._closing and task not in self._ended:
                raise
            task.uncancel()
        finally:
            self._tasks.pop(task, None)
            self._ended.discard(task)

    def keep(self, may_stay: Callable[[Caller], bool]) -> None:
        """End the streams of those who may not stay."""
        for task, caller in self._tasks.items():
            if task not in self._ended and not may_stay(caller):
                self._ended.add(task)
                task.cancel()

    def close(self) -> None:
        """End all streams; from now on `closing` tells that none is to be opened."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
