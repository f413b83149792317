"""`flexrun up --worker ./my_capabilities.py`: a Python worker beside the engine, started again when its files change.

It is a process of its own (`python -m flexrun_sdk`), as it would be in production: an author's mistake ends the worker
and not the engine, and a change of the file needs no restart of the engine.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from watchfiles import (
    PythonFilter,
    awatch,  # pyright: ignore[reportUnknownVariableType] - one of its events is of trio
)

from eventstore.background import end_background, start_background
from eventstore.lifecycle import refuse_second_start
from eventstore.pause import DoublingPause

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_STOP_SECONDS = 5.0
_REFUSED = 2
"""The status of a worker that cannot start as it is: it is started again when a file changes."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class WorkerBeside:
    """Runs a worker for `files` at the gateway `url` until it is closed. A token comes from the environment."""

    def __init__(self, files: Sequence[str], url: str) -> None:
        self._files = list(files)
        self._folders = sorted({str(Path(each).resolve().parent) for each in files})
        self._arguments = [sys.executable, "-m", "flexrun_sdk", *files, "--url", url, "--replace"]
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._process: asyncio.subprocess.Process | None = None

    def start(self) -> None:
        """Start the worker, and watch its files."""
        refuse_second_start(self, started=bool(self._tasks))
        self._tasks = [
            start_background("worker-beside", self._keep_running()),
            start_background("worker-files", self._watch()),
        ]

    async def close(self) -> None:
        """Let the worker end what it does, for some seconds."""
        await end_background(*self._tasks)
        await self._end()

    async def _keep_running(self) -> None:
        pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            self._changed.clear()
            self._process = await asyncio.create_subprocess_exec(*self._arguments, env=_environment())
            ended = asyncio.create_task(self._process.wait())
            changed = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            if not ended.done():
                _log.info("worker_files_changed", files=self._files)
                pause.reset()
                await self._end()
                continue
            status = self._process.returncode
            _log.warning("worker_ended", status=status, files=self._files)
            if status == _REFUSED:
                await self._changed.wait()
            else:
                await pause.wait()

    async def _watch(self) -> None:
        async for _ in awatch(*self._folders, watch_filter=PythonFilter(), step=50, debounce=200):
            self._changed.set()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    """The engine's own, where the worker finds the SDK and its token."""
    paths = [each for each in sys.path if each]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
