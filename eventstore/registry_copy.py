"""What a process keeps of the registry: when its copy is fetched again, and who waits for that."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from eventstore.background import end_background
from eventstore.errors import StoreError, StoreUnavailable
from eventstore.listener import LogListener
from eventstore.store import EventStore
from eventstore.tenancy import EVERY_TENANT, for_every_tenant, working_for


class RegistryCopy(ABC):
    """A copy of one part of the registry, at most `fresh_seconds` old.

    With a listener a change makes the copy stale at once. A stale copy is fetched again by the next who asks for it and
    waits (`fresh`), or in the background, once a caller that cannot wait has asked (`freshen`). While the database does
    not answer, the last known copy stays in use.
    """

    part: str
    """As notifications name it."""

    def __init__(
        self,
        store: EventStore,
        *,
        listener: LogListener | None = None,
        fresh_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._fresh_seconds = fresh_seconds
        self._monotonic = monotonic
        self._fresh_until = 0.0
        self._follows = False
        self._closed = False
        self._turn = asyncio.Lock()
        self._fetching: asyncio.Task[None] | None = None
        if listener is not None:
            listener.on_registry(self._on_change)

    @abstractmethod
    async def _fetch(self) -> None:
        """Replace the copy. Raises StoreError."""

    async def refresh(self) -> None:
        """Fetch the copy now."""
        async with self._turn:
            await self._refresh()

    async def fresh(self) -> None:
        """Wait until the copy is no longer stale; those who ask while it is fetched wait for the same fetch."""
        if self._stale or self._turn.locked():
            async with self._turn:
                if self._stale:
                    await self._refresh()

    def freshen(self) -> None:
        """Fetch a stale copy in the background; from now on also at each change, before it is asked for."""
        self._follows = True
        if self._stale and not self._closed and (self._fetching is None or self._fetching.done()):
            self._fetching = asyncio.create_task(
                self._catch_up(), name=f"registry-{self.part}", context=for_every_tenant()
            )

    async def close(self) -> None:
        """Fetch nothing more in the background."""
        self._closed = True
        await end_background(self._fetching)

    @property
    def _stale(self) -> bool:
        return self._monotonic() >= self._fresh_until

    async def _refresh(self) -> None:
        # First, so that what changes while it is fetched makes it stale again.
        self._fresh_until = self._monotonic() + self._fresh_seconds
        try:
            with working_for(EVERY_TENANT):
                await self._fetch()
        except StoreUnavailable as outage:
            self._store.outage.failed(f"registry, {self.part}", outage.reason, on_demand=True)
        except BaseException:
            self._fresh_until = 0.0
            raise

    def _on_change(self, parts: set[str] | None) -> None:
        if parts is None or self.part in parts:
            self._fresh_until = 0.0
            if self._follows:
                self.freshen()

    async def _catch_up(self) -> None:
        try:
            while self._stale:
                await self.fresh()
        except StoreError as error:
            self._store.outage.failed(f"registry, {self.part}", str(error), on_demand=True)
