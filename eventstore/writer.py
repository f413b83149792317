"""Group commit: appends that wait at the same moment share one call and one transaction.

Each writer has a connection of its own and takes everything that waits whenever it is free: a lone append goes out at
once, a crowd goes out together. A failure that passes is tried again on a new connection; since the answer of the
call before may have been lost after its commit, a conflict on such a second try is looked up before it is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import psycopg
import structlog

from eventstore.append_queue import AppendQueue
from eventstore.batch import Commit, PendingAppend, encode_batch
from eventstore.connection import Connection, connect, hang_up_after
from eventstore.errors import StoreUnavailable, VersionConflict, brief, is_passing, translate
from eventstore.outage import Outage
from eventstore.pause import DoublingPause
from eventstore.rows import Result, column_names
from eventstore.statements import statement
from eventstore.values import value_parameters, whole
from runs.event import Event
from telemetry.catalogue import APPEND_BATCH, APPEND_SECONDS, CONFLICTS

LARGE_BATCH_CHARS = 256 * 1024

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_PROBE_SECONDS = 1.5
_PART = "writer"
_COLLISION = "40"
"""The class of SQLSTATEs of a transaction that met another one."""


_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Writer:
    """One connection that stores batches until it is cancelled."""

    def __init__(
        self,
        database_url: str,
        queue: AppendQueue,
        stored: Callable[[Commit], None],
        patience_seconds: float,
        outage: Outage,
    ) -> None:
        self._database_url = database_url
        self._queue = queue
        self._stored = stored
        self._patience_seconds = patience_seconds
        self._outage = outage
        self._connection: Connection | None = None
        self._busy = asyncio.Lock()
        self._trouble: psycopg.Error | None = None

    async def probe(self) -> None:
        """Test over the connection of the appends what an append needs. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._busy.acquire()
        except TimeoutError:
            raise StoreUnavailable(brief(self._trouble) or "an append takes its time") from self._trouble
        try:
            await self._probe()
        except psycopg.Error as error:
            raise StoreUnavailable(brief(error)) from error
        finally:
            self._busy.release()

    async def _probe(self) -> None:
        if self._connection is None:
            self._connection = await connect(self._database_url, "writer")
        try:
            with hang_up_after(self._connection, _PROBE_SECONDS):
                await self._connection.execute(statement("database/probe"), prepare=False)
        except BaseException:
            await self._disconnect()
            raise

    async def run(self) -> None:
        """Store the batches of the queue until cancelled."""
        try:
            while True:
                batch = await self._queue.take()
                try:
                    async with self._busy:
                        await self._store(batch)
                except Exception as error:  # noqa: BLE001 - a writer survives any error of one batch
                    _log.exception("append_failed", appends=len(batch))
                    _fail_unanswered(batch, error)
                finally:
                    self._trouble = None
                    _fail_unanswered(batch, StoreUnavailable("the store was closed"))
        finally:
            await self._disconnect()

    async def _store(self, batch: list[PendingAppend]) -> None:
        """Store `batch` and answer each of its appends, with a commit or an error."""
        pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while batch:
            try:
                conflicts = await self._call(batch)
            except psycopg.Error as error:
                if is_passing(error):
                    batch = await self._after_failure(batch, error, pause)
                    continue
                await self._isolate(batch, error)
                return
            self._outage.worked(_PART)
            APPEND_BATCH.observe(number=len(batch))
            await self._answer(batch, conflicts)
            return

    async def _call(self, batch: Sequence[PendingAppend]) -> dict[str, int]:
        """Run id → actual version of those that were refused. Raises psycopg.Error."""
        if self._connection is None:
            self._connection = await connect(self._database_url, "writer")
        text = encode_batch(batch).decode()
        if len(text) > LARGE_BATCH_CHARS:
            await asyncio.sleep(0)  # encoding it and sending it are two turns of the loop
        values = [(append.run_id, *each) for append in batch for each in append.values.items()]
        name = "log/append_values" if values else "log/append"
        with hang_up_after(self._connection):
            cursor = await self._connection.execute(
                statement(name), {"batch": text, **value_parameters(values)}, prepare=True
            )
        return dict(await cursor.fetchall())

    async def _answer(self, batch: Sequence[PendingAppend], conflicts: dict[str, int]) -> None:
        for append in batch:
            if append.run_id not in conflicts:
                self._settle(append)
        for append in batch:
            if append.run_id in conflicts:
                await self._settle_conflict(append, conflicts[append.run_id])

    def _settle(self, append: PendingAppend) -> None:
        # Its caller runs in the next turn of the loop, after the listeners, and before all that these set going:
        # the caller waits for the first frame, and the plan has no waiting reader yet.
        if not append.answer.done():
            append.answer.set_result(append.commit)
        APPEND_SECONDS.observe(number=asyncio.get_running_loop().time() - append.enqueued_at)
        self._stored(append.commit)

    async def _settle_conflict(self, append: PendingAppend, actual: int) -> None:
        if append.in_doubt and await self._was_stored(append):
            self._settle(append)
        elif not append.answer.done():
            CONFLICTS.add()
            append.answer.set_exception(VersionConflict(append.run_id, append.commit.before.seq, actual))

    async def _was_stored(self, append: PendingAppend) -> bool:
        """Whether the log has these events; False where that cannot be found out in time."""
        pause = DoublingPause(_LONGEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            try:
                if self._connection is None:
                    self._connection = await connect(self._database_url, "writer")
                return await _is_stored(self._connection, append.commit.events)
            except psycopg.Error as error:
                if not await self._after_failure([append], error, pause):
                    return False

    async def _after_failure(
        self, batch: list[PendingAppend], error: psycopg.Error, pause: DoublingPause
    ) -> list[PendingAppend]:
        """Drop the connection if it is lost, and wait; the appends that still have time."""
        self._trouble = error
        stale = self._connection is not None and self._connection.closed
        if (error.sqlstate or "").startswith(_COLLISION):
            _log.warning("append_retry", appends=len(batch), error=brief(error), pause_seconds=pause.seconds)
        elif not stale:  # a connection that was lost while it was idle says nothing of the server now
            self._outage.failed(_PART, brief(error), on_demand=True)
        if self._connection is not None and self._connection.closed:
            # No answer is no answer: the call may have been carried out. An error that came back was rolled back.
            for append in batch:
                append.in_doubt = True
            await self._disconnect()
        await pause.wait()
        over_before = asyncio.get_running_loop().time() - self._patience_seconds
        _fail_unanswered(
            [append for append in batch if append.enqueued_at < over_before],
            StoreUnavailable(brief(error)),
        )
        return [append for append in batch if append.enqueued_at >= over_before]

    async def _isolate(self, batch: list[PendingAppend], error: psycopg.Error) -> None:
        """Store each append alone, so that a value that the database refuses fails its own append only."""
        if len(batch) > 1:
            for append in batch:
                await self._store([append])
        else:
            _fail_unanswered(batch, translate(error))

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _fail_unanswered(batch: Sequence[PendingAppend], error: Exception) -> None:
    for append in batch:
        if not append.answer.done():
            append.answer.set_exception(error)


async def _is_stored(connection: Connection, events: Sequence[Event]) -> bool:
    """Whether the log has exactly these events at their places. Raises psycopg.Error."""
    first, last = events[0], events[-1]
    cursor = await connection.execute(
        statement("log/read"),
        {"run_id": first.run_id, "after": first.seq - 1, "until": last.seq, "limit": len(events)},
    )
    result, _ = await whole(connection, Result(column_names(cursor), await cursor.fetchall()))
    found = result.read(Event)
    return [_identity(event) for event in found] == [_identity(event) for event in events]


def _identity(event: Event) -> tuple[int, str | None]:
    """The hash covers all of an event, and those before it."""
    return (event.seq, event.hash)
