"""Statements that are not appends, over a few connections that are renewed after a restart of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import psycopg
import structlog
from psycopg.pq import TransactionStatus
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from eventstore.background import cancellations, refuse_lost_cancellation
from eventstore.connection import Connection, connect, hang_up_after
from eventstore.errors import LogUnfoldable, StoreUnavailable, brief, is_passing, translate
from eventstore.rows import Result, column_names
from eventstore.statements import statement
from eventstore.tenancy import scope
from eventstore.values import LostValue, whole

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, psycopg.Error) and is_passing(error)


async def _ask(
    connection: Connection, name: str, parameters: Mapping[str, object]
) -> tuple[Result, list[LostValue]]:
    """The rows of a statement, whole, and those large values of theirs that are lost. It may name `tenant`."""
    with hang_up_after(connection):
        cursor = await connection.execute(
            statement(name), {"tenant": connection.tenant, **parameters}, prepare=True
        )
        columns = column_names(cursor)
        return await whole(connection, Result(columns, await cursor.fetchall() if columns else []))


def _without(result: Result, lost: list[LostValue]) -> Result:
    """The rows of other runs: one run whose values are lost may not keep those from being read.

    Raises LogUnfoldable where there is no other run.
    """
    for each in lost:
        _log.error("value_lost", run_id=each.run_id, seq=each.seq, place=each.place, changed=each.changed)
    broken, of_run = {each.run_id for each in lost}, result.columns.index(b"run_id")
    rows = [row for row in result.rows if row[of_run] not in broken]
    if not rows:
        raise LogUnfoldable(lost[0].run_id, f"{lost[0]}; flexrun db verify names all")
    return Result(result.columns, rows)


class Reader:
    """Runs each statement on a free connection.

    Not psycopg_pool: it costs as much CPU for each read as the read itself, and after a restart of the database its
    back-off begins at a second. `in_use` of its `size` connections have a statement now, for which `waiting` wait.
    """

    def __init__(self, database_url: str, size: int, patience_seconds: float) -> None:
        self._database_url = database_url
        self._patience_seconds = patience_seconds
        self._slots = asyncio.Semaphore(size)
        self.size = size
        self.in_use = 0
        self.waiting = 0
        self._idle: list[Connection] = []
        self._closed = False

    @property
    def idle(self) -> int:
        """Connections that are open and have no statement."""
        return len(self._idle)

    async def close(self) -> None:
        """Close idle connections now, and those in use when their statements end."""
        self._closed = True
        await self._close_idle()

    async def query(self, name: str, parameters: Mapping[str, object]) -> Result:
        """The result of `sql/<name>.sql`. It may run twice where a connection is lost.

        Raises StoreUnavailable, or what `errors.translate` makes of an error that stays.
        """
        try:
            return await self._query_once(name, parameters)
        except psycopg.Error as error:
            if not is_passing(error):
                raise translate(error) from error
        return await self._query_again(name, parameters)

    async def _query_again(self, name: str, parameters: Mapping[str, object]) -> Result:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_exponential(multiplier=0.02, max=1.0) + wait_random(0, 0.02),
            stop=stop_after_delay(self._patience_seconds),
        )
        try:
            return await retrying(self._query_once, name, parameters)
        except RetryError as error:
            raise StoreUnavailable(brief(error.last_attempt.exception())) from error
        except psycopg.Error as error:
            raise translate(error) from error

    async def _query_once(self, name: str, parameters: Mapping[str, object]) -> Result:
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        self.in_use += 1
        asked_to_end = cancellations()
        try:
            result = await self._query_now(name, parameters)
            refuse_lost_cancellation(asked_to_end)
            return result
        except psycopg.Error:
            refuse_lost_cancellation(asked_to_end)
            raise
        finally:
            self.in_use -= 1
            self._slots.release()

    async def _query_now(self, name: str, parameters: Mapping[str, object]) -> Result:
        if self._closed:
            raise StoreUnavailable("the store was closed")
        tenant = scope()
        connection = self._take_idle(tenant) or await connect(self._database_url, "reader")
        try:
            await connection.work_for(tenant)
            result, lost = await _ask(connection, name, parameters)
            if lost:  # the runs may have been removed between the rows and their values
                result, lost = await _ask(connection, name, parameters)
        finally:
            await self._put_back(connection)
        return _without(result, lost) if lost else result

    def _take_idle(self, tenant: str) -> Connection | None:
        """One that works for the tenant already, where there is one: the others have to be told first."""
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].tenant == tenant:
                return self._idle.pop(index)
        return self._idle.pop(0) if self._idle else None

    async def _put_back(self, connection: Connection) -> None:
        """Keep a connection that is idle; where one is lost, close all, since the idle ones are likely lost too."""
        if connection.pgconn.transaction_status == TransactionStatus.IDLE and not self._closed:
            self._idle.append(connection)
            return
        await connection.close()
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()
