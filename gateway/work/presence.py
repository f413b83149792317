"""Which workers are alive: told to the registry every few seconds, from their claims and their heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from eventstore.background import end_background, start_background
from eventstore.capabilities import heard_of, workers_alive
from eventstore.capability_cache import CapabilityCache
from eventstore.errors import StoreUnavailable
from eventstore.processes import remote_alive, remote_serves
from eventstore.store import EventStore
from runs.outstanding import node_queue
from schemas.capability import worker_queue
from schemas.work import ServedCapability

EVERY_SECONDS = 1.0
TOLD_SECONDS = 5.0
"""How often the registry is told of a worker, unless one of its capabilities has a shorter heartbeat."""

MAX_KNOWN = 10_000


class Presence:
    """The workers that this gateway has heard of; `waiting` names those whose claims wait at this moment."""

    def __init__(
        self, store: EventStore, capabilities: CapabilityCache, waiting: Callable[[], Iterable[str]]
    ) -> None:
        self._store = store
        self._capabilities = capabilities
        self._waiting = waiting
        self._heard: set[str] = set()
        self._told_at: dict[str, float] = {}
        self._served: dict[str, Sequence[ServedCapability]] = {}
        self._every: dict[str, float] = {}
        self._took_at: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def claims(self, worker: str, served: Sequence[ServedCapability], slots: int) -> None:
        """A worker asks for work; what it serves is told at its first claim, and when that has changed."""
        if self._task is None:
            self._task = start_background("work-presence", self._keep_telling())
        if self._served.get(worker) == served and worker in self._told_at:
            self._heard.add(worker)
            return
        while len(self._told_at) >= MAX_KNOWN:
            self._forget(next(iter(self._told_at)))
        rows = [self._capabilities.known_version(each.id, each.version) for each in served]
        known = [row for row in rows if row is not None]
        await heard_of(self._store, worker, [(row.capability_id, row.version) for row in known], slots)
        await remote_serves(
            self._store, worker, [node_queue(worker_queue(each.id)) for each in served], slots
        )
        beats = [row.descriptor.get("heartbeatSeconds") or TOLD_SECONDS for row in known]
        self._every[worker] = min([TOLD_SECONDS, *beats])
        self._served[worker] = served
        self._told_at[worker] = asyncio.get_running_loop().time()

    def took(self, worker: str) -> None:
        """It was given work; the registry is told of it with the rest."""
        if worker in self._told_at:
            self._took_at[worker] = asyncio.get_running_loop().time()
            self._heard.add(worker)

    def heard(self, worker: str) -> None:
        """A heartbeat of one of its attempts."""
        if worker in self._told_at:
            self._heard.add(worker)
        elif len(self._told_at) < MAX_KNOWN:  # it has claimed at another gateway
            self._told_at[worker] = float("-inf")
            self._every[worker] = EVERY_SECONDS
            self._heard.add(worker)

    async def close(self) -> None:
        """Stop telling."""
        await end_background(self._task)

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self._tell()
                self._store.outage.worked("work presence")
            except StoreUnavailable as outage:
                self._store.outage.failed("work presence", outage.reason)

    async def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        alive = self._heard.union(self._waiting())
        due = [
            worker
            for worker in alive
            if now - self._told_at.get(worker, now)
            >= self._every.get(worker, TOLD_SECONDS) - EVERY_SECONDS / 2
        ]
        if due:
            await workers_alive(self._store, due)
            took = {worker: self._took_at.get(worker) for worker in due}
            ago = {worker: None if at is None else max(now - at, 0.0) for worker, at in took.items()}
            await remote_alive(self._store, ago)
        for worker in due:
            self._told_at[worker] = now
            self._heard.discard(worker)

    def _forget(self, worker: str) -> None:
        self._told_at.pop(worker, None)
        self._served.pop(worker, None)
        self._every.pop(worker, None)
        self._took_at.pop(worker, None)
        self._heard.discard(worker)
