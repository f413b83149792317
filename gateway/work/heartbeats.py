"""Heartbeats of attempts: those that come within a few milliseconds extend their leases in one statement.

A worker beats about once a second for each of its attempts, so that a hundred attempts would be a hundred statements a
second. One statement is under way at a time, and what comes meanwhile is in the next.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from eventstore.leases import Beat, extend_each, extend_one
from eventstore.store import EventStore
from eventstore.tenancy import for_every_tenant

_GATHER_SECONDS = 0.005
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A heartbeat, and the answer that its caller waits for: as `extend_each`, None where the lease is lost."""

    beat: Beat
    answer: asyncio.Future[bool | None]


class Heartbeats:
    """Those of all attempts that are reported to this gateway."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def extend(self, beat: Beat) -> bool:
        """Extend the lease of an attempt; False where its worker does not have it any more. Raises StoreError."""
        waiting = _Waiting(beat, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.create_task(self._extend_all(), context=for_every_tenant())
        extended = await waiting.answer
        if extended is False:
            return await extend_one(self._store, beat)
        return extended is not None

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._task is not None:
            await self._task

    async def _extend_all(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_SECONDS)
                taken, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                await self._extend(taken)
        finally:
            self._task = None

    async def _extend(self, taken: list[_Waiting]) -> None:
        beats = list({each.beat: None for each in taken})
        try:
            extended = await extend_each(self._store, beats)
        except Exception as error:  # noqa: BLE001 - the callers get it
            for each in taken:
                if not each.answer.done():
                    each.answer.set_exception(error)
            return
        for each in taken:
            if not each.answer.done():
                each.answer.set_result(extended.get(each.beat))
