"""Frees work that waits for a limit as soon as an attempt of its capability has ended, and sends its hints.

Every process has one: it looks at the process's own commits, so that the end of an attempt is noticed where it was
appended, by an executor, a gateway or a keeper. Where a process dies in between, the work is free when its time is up.
"""

from __future__ import annotations

import asyncio

import structlog

from broker.interface import Broker, BrokerUnavailable, WorkHint
from eventstore import limits
from eventstore.background import end_background
from eventstore.batch import Commit
from eventstore.capability_cache import CapabilityCache
from eventstore.errors import StoreError
from eventstore.limits import LIMIT, Waits
from eventstore.store import EventStore
from runs.outstanding import is_remote
from runs.transitions import RUNNING

_AT_ONCE = 2
"""How much is freed for each attempt that ends: one more than can start, should the first be gone by now."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_Version = tuple[str, str | None]


class ParkedWork:
    """Frees what waits for the limits of capabilities, after the commits of `store`."""

    def __init__(self, store: EventStore, broker: Broker, capabilities: CapabilityCache) -> None:
        self._store = store
        self._broker = broker
        self._capabilities = capabilities
        self._ended: dict[_Version, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        store.on_commit(self._on_commit)

    async def close(self) -> None:
        """Free nothing more; the keeper will."""
        self._closed = True
        if self._task is not None:
            await end_background(self._task)

    def _on_commit(self, commit: Commit) -> None:
        if self._closed or not commit.before.nodes:
            return
        for node in commit.before.nodes.values():
            if node.status != RUNNING:
                continue
            after = commit.after.nodes.get(node.id)
            if commit.after.finished or after is None or after.status != RUNNING:
                version = (node.capability_id, node.capability_version)
                self._ended[version] = self._ended.get(version, 0) + 1
        if self._ended and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._free())

    async def _free(self) -> None:
        while self._ended:
            (capability_id, version), number = self._ended.popitem()
            try:
                row = await self._capabilities.find(capability_id, version)
                if row is not None and row.descriptor.get("limits"):
                    await free_parked(self._store, self._broker, LIMIT, capability_id, number * _AT_ONCE)
            except StoreError as error:
                _log.info("parked_work_not_freed", capability_id=capability_id, reason=str(error))


async def free_parked(
    store: EventStore, broker: Broker, waits: Waits, capability_id: str, limit: int
) -> None:
    """Free the oldest work that waits, and send its hints. Raises StoreError."""
    rows = await limits.unpark(store, waits, capability_id, limit)
    hints = [
        WorkHint(row.run_id, row.kind, row.ref, row.attempt, row.queue)
        for row in rows
        if not is_remote(row.queue)
    ]
    if not hints:
        return
    try:
        await broker.publish(hints)
    except BrokerUnavailable as unavailable:
        broker.outage.failed("hints", unavailable.reason, on_demand=True)  # the keeper sends them again
