"""Receives what other processes commit: one connection per process, made again whenever it is lost.

Between two connections wake-ups are lost, so each connection begins with "anything may have changed" to every callback.
Whether the process listens, and whether it is alone, is one state: see presence.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import psycopg
import structlog

from eventstore.background import end_background, start_background
from eventstore.connection import Connection, connect, hang_up_after
from eventstore.errors import brief
from eventstore.lifecycle import refuse_second_start
from eventstore.outage import Outage, log_unexpected
from eventstore.pause import DoublingPause
from eventstore.presence import Presence, PresenceConfig, PresenceState
from eventstore.statements import statement
from eventstore.wake_ups import (
    ANYTHING,
    ERASED_CHANNEL,
    HELLO,
    HERE,
    HERE_CHANNEL,
    LOG_CHANNEL,
    NO_ORIGIN,
    PARTIAL_CHANNEL,
    REGISTRY_CHANNEL,
    WORK_CHANNEL,
    decode_names,
)

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0

Woken = Callable[[set[str] | None], None]
"""Called with the names, or with None for "anything may have changed"."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class LogListener:
    """The listener of a process.

    `ignore_origin` is the origin of a store whose commits this process knows of without being told. `roles` are those
    of this process, shown to others for as long as it listens.
    """

    def __init__(
        self,
        database_url: str,
        *,
        ignore_origin: str | None = None,
        presence: PresenceConfig | None = None,
        roles: Iterable[str] = (),
        outage: Outage | None = None,
    ) -> None:
        self._database_url = database_url
        self._ignore_origin = ignore_origin
        self._roles = list(roles)
        self._outage = outage or Outage("database")
        self._config = presence or PresenceConfig()
        self._presence = Presence(self._config)
        self._on_hello: list[Callable[[], None]] = []
        self._callbacks: dict[str, list[Woken]] = {
            LOG_CHANNEL: [],
            WORK_CHANNEL: [],
            REGISTRY_CHANNEL: [],
            PARTIAL_CHANNEL: [],
            ERASED_CHANNEL: [],
        }
        self._listening = asyncio.Event()
        self._pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._task: asyncio.Task[None] | None = None

    def on_runs(self, callback: Woken) -> None:
        """Call `callback` with the ids of runs that have new events; with None after each (re)connection."""
        self._callbacks[LOG_CHANNEL].append(callback)

    def on_work(self, callback: Woken) -> None:
        """Call `callback` with the queues that have new work which is due; with None after each (re)connection."""
        self._callbacks[WORK_CHANNEL].append(callback)

    def on_registry(self, callback: Woken) -> None:
        """Call `callback` when the registry has changed, by this process or another; with None after (re)connecting."""
        self._callbacks[REGISTRY_CHANNEL].append(callback)

    def on_partial(self, callback: Woken) -> None:
        """Call `callback` with the runs whose attempts, here or elsewhere, have made more of their outputs."""
        self._callbacks[PARTIAL_CHANNEL].append(callback)

    def on_erased(self, callback: Woken) -> None:
        """Call `callback` with the runs that were erased, here or elsewhere; with None after (re)connecting."""
        self._callbacks[ERASED_CHANNEL].append(callback)

    def on_hello(self, callback: Callable[[], None]) -> None:
        """Call `callback` when another process has begun to listen, which knows nothing of what was said before."""
        self._on_hello.append(callback)

    @property
    def alone(self) -> bool:
        """Whether no other process listens, as far as this one can know."""
        return self._presence.state(asyncio.get_running_loop().time()) is PresenceState.ALONE

    async def start(self) -> None:
        """Start listening. It never fails: a database that cannot be reached is tried again."""
        refuse_second_start(self, started=self._task is not None)
        self._task = start_background("listener", self._run())

    async def listening(self) -> None:
        """Return as soon as every later commit of another process is received."""
        await self._listening.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            await end_background(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            # A process that has stopped listening would follow every other one by its poll alone.
            except Exception as error:  # noqa: BLE001 - see above
                log_unexpected("listener_failed", error)
                self._outage.failed("listener", brief(error))
            await self._pause.wait()

    async def _listen(self) -> None:
        """Listen on one connection until it is lost. Raises psycopg.Error."""
        connection = await connect(self._database_url, "listener")
        try:
            await connection.execute(statement("processes/listen"), prepare=False)
            if self._roles:
                await connection.execute(statement("processes/announce_roles"), {"roles": self._roles})
            await self._say(connection, HELLO)
            self._begin()
            while True:
                async for notice in connection.notifies(timeout=self._config.here_seconds):
                    self._receive(notice)
                with hang_up_after(connection):
                    await self._say(connection, HERE)
        finally:
            self._presence.lost()
            self._listening.clear()
            await connection.close()

    def _begin(self) -> None:
        self._presence.listening(asyncio.get_running_loop().time())
        self._listening.set()
        self._pause.reset()
        self._outage.worked("listener")
        for channel in self._callbacks:
            self._wake(channel, ANYTHING)

    async def _say(self, connection: Connection, word: str) -> None:
        payload = f"{self._ignore_origin or NO_ORIGIN};{word}"
        await connection.execute(
            statement("processes/notify"), {"channels": [HERE_CHANNEL], "payloads": [payload]}
        )

    def _receive(self, notice: psycopg.Notify) -> None:
        origin, _, names = notice.payload.partition(";")
        if notice.channel in (REGISTRY_CHANNEL, PARTIAL_CHANNEL, ERASED_CHANNEL):
            self._wake(notice.channel, names)
            return
        if origin == self._ignore_origin:
            return
        if origin:
            self._presence.message(asyncio.get_running_loop().time())
        if notice.channel != HERE_CHANNEL:
            self._wake(notice.channel, names)
        elif names == HELLO:
            for callback in self._on_hello:
                callback()

    def _wake(self, channel: str, names: str) -> None:
        for callback in self._callbacks[channel]:
            try:
                callback(decode_names(names))
            except Exception:  # noqa: BLE001 - the failure of one callback must not keep the others from their call
                _log.exception("wake_up_callback_failed", channel=channel)
