"""The server: connections, transactions that take their time, locks, notifications, and a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from time import time
from typing import TYPE_CHECKING, Any, Protocol

import psycopg

from simulation.database import append as appends
from simulation.database import log, others, statements, work
from simulation.database.append import Append
from simulation.database.tables import Locked, Tables

if TYPE_CHECKING:
    from simulation.database.connection import TwinConnection

__all__ = ["Fate", "Faults", "NoFaults", "Server"]

_STATEMENTS = (log, others, work)
"""Imported for what they answer."""

LOST = "server closed the connection unexpectedly"
_KEEPER_LOCK = "processes/try_keeper_lock"
_APPENDS = frozenset({"log/append", "log/append_values"})


class Fate(Enum):
    """What becomes of a statement."""

    ANSWERED = auto()
    NEVER_ARRIVES = auto()
    ROLLED_BACK = auto()
    """The connection is lost before the commit."""
    ANSWER_LOST = auto()
    """The connection is lost after the commit."""


class Faults(Protocol):
    """How long things take, and what goes wrong."""

    def travel_seconds(self) -> float: ...
    def disk_seconds(self) -> float: ...
    def fate(self, name: str) -> Fate: ...
    def notification_seconds(self) -> float | None:
        """None: the notification is lost."""
        ...


class NoFaults:
    """Everything at once and nothing goes wrong."""

    def travel_seconds(self) -> float:
        return 0.0

    def disk_seconds(self) -> float:
        return 0.0

    def fate(self, name: str) -> Fate:
        return Fate.ANSWERED

    def notification_seconds(self) -> float | None:
        return 0.0


@dataclass(slots=True)
class _Call:
    """A statement on its way. `answer` is the future that its caller waits for."""

    connection: TwinConnection
    name: str
    parameters: dict[str, Any]
    answer: asyncio.Future[tuple[tuple[bytes, ...], list[tuple[Any, ...]]]]
    fate: Fate


class Server:
    """One database. What it does runs in `context`, so that no client's end ends it."""

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        clock: Callable[[], float] = time,
        context: Context | None = None,
        on_commit: Callable[[Append], None] | None = None,
        owner: Callable[[], object] = lambda: None,
    ) -> None:
        self.faults = faults or NoFaults()
        self.tables = Tables(self.now, self._notify)
        self.jumped_seconds = 0.0
        self.is_down = False
        self._clock = clock
        self._context = context
        self._on_commit = on_commit
        self._owner = owner
        self._connections: dict[TwinConnection, object] = {}
        self._keeper: TwinConnection | None = None
        self._open: dict[str, tuple[Append, _Call]] = {}
        self._blocked: list[_Call] = []

    def now(self) -> datetime:
        """The server's clock, to the microsecond."""
        return datetime.fromtimestamp(self._clock() + self.jumped_seconds, UTC)

    def connected(self, connection: TwinConnection) -> None:
        """Take a connection. Raises psycopg.OperationalError while the server is down."""
        if self.is_down:
            raise psycopg.OperationalError("connection refused")
        self._connections[connection] = self._owner()

    def disconnected(self, connection: TwinConnection) -> None:
        """A connection has ended: its session's lock is free."""
        self._connections.pop(connection, None)
        if self._keeper is connection:
            self._keeper = None

    def drop(self, owner: object) -> None:
        """Find out that the process with these connections has ended."""
        for connection in [each for each, whose in self._connections.items() if whose is owner]:
            connection.lose()

    def go_down(self) -> None:
        """Lose every connection and roll back what is not committed."""
        self.is_down = True
        for connection in list(self._connections):
            connection.lose()
        for append, _ in {id(each[0]): each for each in self._open.values()}.values():
            self._end(append)
        self._blocked.clear()

    def come_up(self) -> None:
        """Take connections again."""
        self.is_down = False

    def send(self, connection: TwinConnection, name: str, parameters: dict[str, Any]) -> asyncio.Future[Any]:
        """Send a statement; the future has its columns and rows, or a psycopg.Error."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call = _Call(connection, name, parameters, answer, self.faults.fate(name))
        self._later(self.faults.travel_seconds(), self._arrive, call)
        return answer

    def _later(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        loop = asyncio.get_running_loop()
        if seconds > 0:
            loop.call_later(seconds, callback, *args, context=self._context)
        else:
            loop.call_soon(callback, *args, context=self._context)

    def _arrive(self, call: _Call) -> None:
        if call.fate is Fate.NEVER_ARRIVES:
            call.connection.lose()
        if call.connection not in self._connections:
            return
        try:
            if call.name in _APPENDS:
                self._begin(call, appends.parsed(call.parameters["batch"], call.parameters))
            else:
                self._answer(call, *self._run(call))
        except Locked:
            self._blocked.append(call)
        except psycopg.Error as error:
            self._refuse(call, error)

    def _run(self, call: _Call) -> tuple[tuple[bytes, ...], list[tuple[Any, ...]]]:
        if call.name == _KEEPER_LOCK:
            if self._keeper is None:
                self._keeper = call.connection
            return (b"pg_try_advisory_lock",), [(self._keeper is call.connection,)]
        if call.name == "processes/listen":
            call.connection.listens = True
            return (), []
        return statements.run(self.tables, call.name, call.parameters)

    def _begin(self, call: _Call, append: Append) -> None:
        """Begin the transaction, once no other one holds its runs. Raises Locked, psycopg.Error."""
        if any(run_id in self._open for run_id in append.runs):
            raise Locked
        appends.begin(self.tables, append)
        self.tables.open_xids.add(append.xid)
        self.tables.locked |= appends.changed_work(append)
        self._open |= dict.fromkeys(append.runs, (append, call))
        self._later(self.faults.disk_seconds(), self._commit, call, append)

    def _commit(self, call: _Call, append: Append) -> None:
        if append.xid not in self.tables.open_xids:
            return  # the server went down meanwhile
        if call.fate is Fate.ROLLED_BACK:
            self._end(append)
            call.connection.lose()
            return
        appends.commit(self.tables, append)
        if self._on_commit is not None:
            self._on_commit(append)
        self._end(append)
        self._answer(call, (b"conflicting_run", b"actual_seq"), append.conflicts)

    def _end(self, append: Append) -> None:
        self.tables.open_xids.discard(append.xid)
        for key in appends.changed_work(append):
            self.tables.locked.pop(key, None)
        for run_id in append.runs:
            self._open.pop(run_id, None)
        blocked, self._blocked = self._blocked, []
        for call in blocked:
            self._later(0.0, self._arrive, call)

    def _answer(self, call: _Call, columns: tuple[bytes, ...], rows: list[tuple[Any, ...]]) -> None:
        if call.fate is Fate.ANSWER_LOST:
            call.connection.lose()
        else:
            self._later(self.faults.travel_seconds(), call.connection.take, call.answer, (columns, rows))

    def _refuse(self, call: _Call, error: psycopg.Error) -> None:
        self._later(self.faults.travel_seconds(), call.connection.take, call.answer, error)

    def _notify(self, channel: str, payload: str) -> None:
        for connection in self._listening():
            seconds = self.faults.notification_seconds()
            if seconds is not None:
                self._later(seconds, connection.notice, channel, payload)

    def _listening(self) -> Iterator[TwinConnection]:
        return (connection for connection in list(self._connections) if connection.listens)
