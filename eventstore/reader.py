"""Reading, and the small writes that are not appends: a pool of connections that outlives the database's restarts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception,
    stop_after_delay,
    wait_exponential_jitter,
)

from eventstore.connection import Connection, configure, connect_options, hang_up_after
from eventstore.errors import StoreUnavailable, brief, is_passing, translate
from eventstore.statements import statement

Rows = list[tuple[Any, ...]]

_POOL_WAIT_SECONDS = 5.0


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, psycopg.Error) and is_passing(error)


class Reader:
    """Runs one statement at a time on whichever connection is free."""

    def __init__(self, database_url: str, size: int, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            database_url,
            min_size=1,
            max_size=size,
            open=False,
            configure=configure,
            timeout=_POOL_WAIT_SECONDS,
            reconnect_timeout=_POOL_WAIT_SECONDS,
            kwargs={"autocommit": True, "prepare_threshold": 0, **connect_options("reader")},
        )

    async def open(self) -> None:
        """Start connecting. Raises StoreUnavailable when no connection comes in time."""
        await self._pool.open()
        await self.fetch("ping", {})

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def fetch(self, name: str, parameters: Mapping[str, object]) -> Rows:
        """The rows of `sql/<name>.sql`. A lost connection is tried again: the statement must bear being run twice.

        Raises StoreUnavailable, or what `errors.translate` makes of an error that stays.
        """
        try:
            return await self._fetch_once(name, parameters)
        except psycopg.Error as error:
            if not is_passing(error):
                raise translate(error) from error
        return await self._fetch_again(name, parameters)

    async def _fetch_again(self, name: str, parameters: Mapping[str, object]) -> Rows:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_exponential_jitter(initial=0.02, max=1.0, jitter=0.05),
            stop=stop_after_delay(self._patience_seconds),
        )
        try:
            return await retrying(self._fetch_once, name, parameters)
        except RetryError as error:
            raise StoreUnavailable(brief(error.last_attempt.exception())) from error
        except psycopg.Error as error:
            raise translate(error) from error

    async def _fetch_once(self, name: str, parameters: Mapping[str, object]) -> Rows:
        async with self._pool.connection() as connection:
            with hang_up_after(connection):
                cursor = await connection.execute(statement(name), parameters, prepare=True)
            return await cursor.fetchall() if cursor.description else []
