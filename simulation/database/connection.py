"""A connection to the twin, with as much of psycopg's as the store uses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from types import SimpleNamespace, TracebackType
from typing import Any, Self, cast

import psycopg
from psycopg.pq import TransactionStatus

from eventstore.connection import Connection, stand_in
from eventstore.tenancy import EVERY_TENANT
from simulation.database.server import LOST, Server
from simulation.database.statements import name_of

SCHEME = "twin"

_servers: dict[str, Server] = {}


def url_of(server: Server, name: str) -> str:
    """The URL by which stores of this process reach `server`, until `forget`."""
    _servers[name] = server
    return f"{SCHEME}:{name}"


def forget(name: str) -> None:
    """Have the name stand for no server any more."""
    _servers.pop(name, None)


async def dial(database_url: str, _: str) -> Connection:
    """A connection to the twin of this URL. Raises psycopg.OperationalError where it is down."""
    server = _servers[database_url.partition(":")[2].partition("?")[0]]
    await asyncio.sleep(server.faults.travel_seconds())
    connection = TwinConnection(server)
    server.connected(connection)
    return cast("Connection", connection)


stand_in(SCHEME, dial)


class _Cursor:
    """The rows of a statement."""

    def __init__(self, columns: tuple[bytes, ...], rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.pgresult = SimpleNamespace(nfields=len(columns), fname=columns.__getitem__) if columns else None

    async def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    async def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None


class TwinConnection:
    """Executes one statement at a time. A statement whose caller is cancelled costs the connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: asyncio.Future[Any] | None = None
        self._notices: deque[psycopg.Notify] = deque()
        self._noticed: asyncio.Future[None] | None = None
        self.closed = False
        self.listens = False
        self.tenant = EVERY_TENANT
        self.pgconn = SimpleNamespace(transaction_status=TransactionStatus.IDLE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def work_for(self, tenant: str) -> None:
        """Statements are for this tenant from now on."""
        self.tenant = tenant

    async def execute(
        self,
        query: bytes | str,
        params: Mapping[str, Any] | None = None,
        *,
        prepare: bool | None = None,
        binary: bool = False,
    ) -> _Cursor:
        """The result of a statement. Raises psycopg.Error."""
        if self.closed:
            raise psycopg.OperationalError("the connection is closed")
        name = name_of(query)
        if name is None:
            return _Cursor((), [])
        self._waiting = self._server.send(self, name, dict(params or {}))
        try:
            columns, rows = await self._waiting
        except asyncio.CancelledError:
            self.lose()
            raise
        finally:
            self._waiting = None
        return _Cursor(columns, rows)

    async def notifies(self, *, timeout: float) -> AsyncGenerator[psycopg.Notify]:
        """Notifications, until none has come for `timeout` seconds. Raises psycopg.OperationalError."""
        while True:
            if self.closed:
                raise psycopg.OperationalError(LOST)
            if self._notices:
                yield self._notices.popleft()
                continue
            self._noticed = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._noticed
            except TimeoutError:
                return

    async def close(self) -> None:
        """End the session."""
        self.lose()

    def hang_up(self) -> None:
        """Close the socket."""
        self.lose()

    def lose(self) -> None:
        """The connection is lost. Who waits for an answer is not told whether the statement was carried out."""
        if self.closed:
            return
        self.closed = True
        self.pgconn.transaction_status = TransactionStatus.UNKNOWN
        self._server.disconnected(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(psycopg.OperationalError(LOST))
        self._wake()

    def take(self, answer: asyncio.Future[Any], result: Any) -> None:
        """The answer of the server has come."""
        if answer.done() or self.closed:
            return
        if isinstance(result, psycopg.Error):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def notice(self, channel: str, payload: str) -> None:
        """A notification has come."""
        self._notices.append(psycopg.Notify(channel, payload, 0))
        self._wake()

    def _wake(self) -> None:
        if self._noticed is not None and not self._noticed.done():
            self._noticed.set_result(None)
