"""The tokens that the database keeps, as a gateway knows them: at most two seconds behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from eventstore.background import end_background, start_background
from eventstore.errors import StoreError
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.registry_copy import RegistryCopy
from eventstore.store import EventStore
from eventstore.tokens import LiveToken

LOOK_SECONDS = 1.0
"""How often it is fetched; a change that a notification tells is there at once."""

CLOSE_SECONDS = 2.0

USE_SECONDS = 60.0
"""How often the time of a token's last use is written."""


class TokenCopy(RegistryCopy):
    """The tokens that are good. `on_change` is called after each look: then streams of others end."""

    part = "tokens"

    def __init__(
        self,
        store: EventStore,
        *,
        listener: LogListener | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(store, listener=listener, fresh_seconds=LOOK_SECONDS, monotonic=monotonic)
        self.there_are = True
        """Whether the database keeps any token, or has ever kept one: then the gateway asks for tokens. Until that is
        known it does so too."""

        self.live: dict[bytes, LiveToken] = {}
        """By their hashes."""

        self.on_change: Callable[[], None] = lambda: None
        self._is_known = False
        self._written: dict[str, float] = {}
        self._used: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    async def start(self, *, wait: bool = True) -> None:
        """Fetch them now, and from now on.

        It waits for the database, since whether there are any decides who may call; without `wait` it asks once, and
        where it gets no answer the gateway asks for tokens until there is one.
        """
        refuse_second_start(self, started=self._looking is not None)
        self._looking = start_background("tokens", self._keep_looking())
        await self.refresh()
        while wait and not self._is_known:
            await self.refresh()
        self._follows = True

    async def close(self) -> None:
        """Fetch nothing more; the last uses are written."""
        await end_background(self._looking)
        await super().close()
        if self._looking is not None:
            with suppress(StoreError, TimeoutError):  # it says less than a stop in time is worth
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._write_uses()

    def find(self, digest: bytes) -> LiveToken | None:
        """The token of this hash, unless it has expired."""
        found = self.live.get(digest)
        if found is None or (found.expires_at is not None and found.expires_at <= self._store.clock()):
            return None
        return found

    def note_use(self, token_id: str) -> None:
        """Have the time written, where that was not done for a minute."""
        if self._monotonic() - self._written.get(token_id, -USE_SECONDS) >= USE_SECONDS:
            self._used.add(token_id)

    async def _fetch(self) -> None:
        rows = await self._store.select(LiveToken, "tokens/live", {})
        self.live = {bytes(row.digest): row for row in rows}
        self.there_are = bool(rows) or bool((await self._store.fetch("tokens/any", {}))[0][0])
        self._is_known = True
        self.on_change()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.fresh()
                self.on_change()  # one may have expired
                await self._write_uses()
            except StoreError as error:
                self._store.outage.failed(f"registry, {self.part}", str(error), on_demand=True)

    async def _write_uses(self) -> None:
        used, self._used = sorted(self._used), set[str]()
        if used:
            now = self._monotonic()
            self._written |= dict.fromkeys(used, now)
            await self._store.fetch("tokens/used", {"token_ids": used})
        if len(self._written) > 2 * len(self.live) + 100:
            known = {row.token_id for row in self.live.values()}
            self._written = {key: at for key, at in self._written.items() if key in known}
