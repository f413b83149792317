"""What the private servers of the tests have in common: a folder of their own, and ways to end and start again."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from flexrun.embedded.launch import GuardedServer
from tests.support.ports import free_port


class PrivateServer(ABC):
    """One server with its data in a temporary folder; it ends with the process that started it.

    `async with` starts it and removes it. In between: `kill`, `stop`, `start`, `restart`; address and data stay
    the same.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._folder: Path | None = None
        self._server: GuardedServer | None = None

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it is down."""
        return self._server.pid if self._server else 0

    @abstractmethod
    async def start(self) -> str:
        """Start the server and wait until it takes a connection; its URL."""

    async def kill(self) -> None:
        """SIGKILL the server, as a crash would, and wait until its processes are gone."""
        if self._server is not None:
            # A server that has ended by itself must not hide why.
            with suppress(ProcessLookupError):
                self._server.kill()
            await self._server.ended()
            self._server = None

    async def stop(self) -> None:
        """Shut it down gracefully, cutting connections; the data stays."""
        if self._server is not None:
            self._server.request_stop()
            await self._server.ended()
            self._server = None

    async def restart(self) -> None:
        """Shut down gracefully and start again."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """End the server in the quickest way, and remove its data."""
        await self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
