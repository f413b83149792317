"""Writes the operations log: requests that change something, before they do and once they are answered.

An operation is stored before it takes place, so that none takes place unrecorded; where it cannot be stored it is
refused. Its outcome is stored right after the answer, for many operations in one statement. A gateway that is killed
between the two leaves the outcome `begun`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from eventstore.background import end_background, start_background
from eventstore.errors import StoreError
from eventstore.operations import Operation, write_operations
from eventstore.pause import DoublingPause
from eventstore.store import EventStore

AT_ONCE = 500
"""How many operations go into one statement."""

MAX_WAITING = 10_000
"""How many outcomes wait for a database that is away; those beyond are only in the process's log."""

CLOSE_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_PART = "operations log"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class OperationsLog:
    """The operations of one gateway on their way to the table."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._begun: dict[str, tuple[Operation, asyncio.Future[None]]] = {}
        self._ended: dict[str, Operation] = {}
        self._some = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._task: asyncio.Task[None] | None = None

    async def begin(self, operation: Operation) -> None:
        """Store what is about to take place. Raises StoreError: then it must not take place."""
        stored = asyncio.get_running_loop().create_future()
        self._begun[operation.operation_id] = operation, stored
        self._wake()
        await stored

    def end(self, operation: Operation) -> None:
        """Have the outcome of an operation stored, or one whole that has not begun before it was refused."""
        if len(self._ended) >= MAX_WAITING:
            _not_recorded([operation], "too many wait for the database")
            return
        self._ended[operation.operation_id] = operation
        self._wake()

    async def flush(self) -> None:
        """Wait until everything is stored that was told before."""
        await self._empty.wait()

    async def close(self) -> None:
        """Store what is left, for CLOSE_SECONDS at most."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.flush()
        except TimeoutError:
            _not_recorded(list(self._ended.values()), "the gateway stopped before the database answered")
        await end_background(self._task)

    def _wake(self) -> None:
        self._empty.clear()
        self._some.set()
        if self._task is None:
            self._task = start_background("operations-log", self._keep_storing())

    async def _keep_storing(self) -> None:
        while True:
            await self._some.wait()
            if await self._store_some():
                self._pause.reset()
            else:
                await self._pause.wait()
            if not self._begun and not self._ended:
                self._some.clear()
                self._empty.set()

    async def _store_some(self) -> bool:
        """Store a batch. Where that fails, what was to begin is refused, and what has ended is tried again."""
        begun = dict(list(self._begun.items())[:AT_ONCE])
        ended = dict(list(self._ended.items())[:AT_ONCE])
        try:
            await write_operations(self._store, [*(row for row, _ in begun.values()), *ended.values()])
        except StoreError as error:
            self._store.outage.failed(_PART, str(error), on_demand=True)
            self._answer(begun, error)
            return False
        self._store.outage.worked(_PART)
        self._answer(begun, None)
        for operation_id in ended:
            del self._ended[operation_id]
        return True

    def _answer(
        self, begun: dict[str, tuple[Operation, asyncio.Future[None]]], error: StoreError | None
    ) -> None:
        for operation_id, (_, stored) in begun.items():
            del self._begun[operation_id]
            if stored.done():  # its caller has left
                continue
            if error is None:
                stored.set_result(None)
            else:
                stored.set_exception(error)


def _not_recorded(operations: Sequence[Operation], reason: str) -> None:
    """Say in the process's log what the table will lack."""
    for each in operations:
        _log.error(
            "operation_not_recorded",
            reason=reason,
            operation_id=each.operation_id,
            action=each.action,
            actor=each.actor,
            object_id=each.object_id,
            outcome=each.outcome,
            correlation_id=each.correlation_id,
        )
