"""Wake-ups between processes. They are hints: losing one costs time, because every reader also polls slowly.

A payload is `<origin>;<names>`: the store that committed, or nothing for whoever sent a message, then run ids (channel
`flexrun_log`) or queues (channel `flexrun_work`) with commas between them, or `*` for "anything may have changed"; on
channel `flexrun_here`, `hello` or `here`: see company.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import psycopg
import structlog

from eventstore.background import start_background
from eventstore.batch import Commit
from eventstore.connection import Connection, connect, hang_up_after
from eventstore.errors import brief
from eventstore.outage import Outage
from eventstore.presence import Presence, PresenceConfig
from eventstore.statements import statement
from eventstore.store import EventStore
from runs.outstanding import TIMER_QUEUE

LOG_CHANNEL = "flexrun_log"
WORK_CHANNEL = "flexrun_work"
HERE_CHANNEL = "flexrun_here"
ANYTHING = "*"

QUIET_SECONDS = 0.005
"""The least time between two notifications of one process: what is committed meanwhile goes into the next."""

_MAX_RUN_IDS = 200
_MAX_PAYLOAD_BYTES = 7900
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_HELLO = "hello"
_HERE = "here"
_NOBODY = "-"

Woken = Callable[[set[str] | None], None]
"""Called with the names, or with None for "anything may have changed"."""

_log = structlog.get_logger(__name__)


class Notifier:
    """Tells other processes what this one has committed: at once when it is quiet, in bundles when it is busy.

    With this process's `listener` it says nothing while nobody else is there: it would be a tenth of what a run costs.
    """

    def __init__(self, store: EventStore, listener: LogListener | None = None) -> None:
        self._store = store
        self._listener = listener
        self._runs: set[str] = set()
        self._queues: set[str] = set()
        self._news = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start telling. It never fails: a database that is away is tried again."""
        self._store.on_commit(self._on_commit)
        if self._listener is not None:
            self._listener.on_hello(self._tell_anything)
        self._task = start_background("notifier", self._run())

    async def close(self) -> None:
        """Tell what is left, and stop."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._runs:
            await self._send()
        await self._drop_connection()

    def _tell_anything(self) -> None:
        self._runs.add(ANYTHING)
        self._queues.add(ANYTHING)
        self._news.set()

    def _on_commit(self, commit: Commit) -> None:
        if self._listener is not None and self._listener.alone:
            return
        self._runs.add(commit.after.run_id)
        now = commit.after.updated_at
        for work in commit.new_work:
            if work.queue != TIMER_QUEUE and (work.due_at is None or now is None or work.due_at <= now):
                self._queues.add(work.queue)
        self._news.set()

    async def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            await self._news.wait()
            if await self._send():
                pause_seconds = _FIRST_PAUSE_SECONDS
                await asyncio.sleep(QUIET_SECONDS)
            else:
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    async def _send(self) -> bool:
        runs, self._runs = self._runs, set()
        queues, self._queues = self._queues, set()
        self._news.clear()
        channels = [LOG_CHANNEL, WORK_CHANNEL] if queues else [LOG_CHANNEL]
        payloads = [_payload(self._store.origin, names) for names in ((runs, queues) if queues else (runs,))]
        try:
            if self._connection is None:
                self._connection = await connect(self._store.database_url, "notifier")
            with hang_up_after(self._connection):
                await self._connection.execute(
                    statement("processes/notify"), {"channels": channels, "payloads": payloads}, prepare=True
                )
        # Whatever one attempt meets, what is left to tell is told by the next.
        except (Exception, asyncio.CancelledError) as error:
            self._runs |= runs
            self._queues |= queues
            self._news.set()
            if isinstance(error, asyncio.CancelledError):
                raise
            _say_surprise("notify_failed", error)
            stale = self._connection is not None and self._connection.closed
            if not stale:  # a connection that was lost while it was idle says nothing of the server now
                self._store.outage.failed("notifier", brief(error))
            await self._drop_connection()
            return False
        self._store.outage.worked("notifier")
        return True

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _say_surprise(event: str, error: BaseException) -> None:
    """Log an error that no database raises, with its traceback."""
    if not isinstance(error, psycopg.Error):
        _log.error(event, exc_info=error)


def _payload(origin: str, names: Iterable[str]) -> str:
    names = list(names)
    text = f"{origin};{','.join(names)}" if len(names) <= _MAX_RUN_IDS and ANYTHING not in names else ""
    return text if text and len(text.encode()) <= _MAX_PAYLOAD_BYTES else f"{origin};{ANYTHING}"


class LogListener:
    """Hears what other processes commit: one connection per process.

    `ignore_origin` is the origin of a store whose commits this process knows of without being told. `roles` are
    those of this process, shown to others for as long as it listens.
    """

    def __init__(
        self,
        database_url: str,
        *,
        ignore_origin: str | None = None,
        manners: PresenceConfig | None = None,
        roles: Iterable[str] = (),
        outage: Outage | None = None,
    ) -> None:
        self._database_url = database_url
        self._ignore_origin = ignore_origin
        self._roles = list(roles)
        self._outage = outage or Outage("database")
        self._manners = manners or PresenceConfig()
        self._company = Presence(self._manners)
        self._on_hello: list[Callable[[], None]] = []
        self._callbacks: dict[str, list[Woken]] = {LOG_CHANNEL: [], WORK_CHANNEL: []}
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def on_runs(self, callback: Woken) -> None:
        """Call `callback` with the ids of runs that have new events; with None after each (re)connection."""
        self._callbacks[LOG_CHANNEL].append(callback)

    def on_work(self, callback: Woken) -> None:
        """Call `callback` with the queues that have new work which is due; with None after each (re)connection."""
        self._callbacks[WORK_CHANNEL].append(callback)

    def on_hello(self, callback: Callable[[], None]) -> None:
        """Call `callback` when another process has begun to listen, which knows nothing of what was said before."""
        self._on_hello.append(callback)

    @property
    def alone(self) -> bool:
        """Whether no other process listens, as far as one can know."""
        return self._company.alone(asyncio.get_running_loop().time())

    async def start(self) -> None:
        """Start listening. It never fails: a database that is away is tried again."""
        self._task = start_background("listener", self._run())

    async def listening(self) -> None:
        """Return as soon as nothing that is committed from now on goes unheard."""
        await self._listening.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._listen()
            # A process that has stopped listening would follow every other one by its poll alone.
            except Exception as error:  # noqa: BLE001 - see above
                if self._listening.is_set():
                    pause_seconds = _FIRST_PAUSE_SECONDS
                self._listening.clear()
                _say_surprise("listener_failed", error)
                self._outage.failed("listener", brief(error))
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    async def _listen(self) -> None:
        connection = await connect(self._database_url, "listener")
        try:
            await connection.execute(statement("processes/listen"), prepare=False)
            if self._roles:
                await connection.execute(statement("processes/announce_roles"), {"roles": self._roles})
            await self._say(connection, _HELLO)
            self._company.greeted(asyncio.get_running_loop().time())
            self._listening.set()
            self._outage.worked("listener")
            for channel in self._callbacks:
                self._tell(channel, ANYTHING)
            while True:
                async for notice in connection.notifies(timeout=self._manners.here_seconds):
                    self._hear(notice)
                with hang_up_after(connection):
                    await self._say(connection, _HERE)
        finally:
            self._company.deaf()
            await connection.close()

    async def _say(self, connection: Connection, word: str) -> None:
        payload = f"{self._ignore_origin or _NOBODY};{word}"
        await connection.execute(
            statement("processes/notify"), {"channels": [HERE_CHANNEL], "payloads": [payload]}
        )

    def _hear(self, notice: psycopg.Notify) -> None:
        origin, _, names = notice.payload.partition(";")
        if origin == self._ignore_origin:
            return
        if origin:
            self._company.heard(asyncio.get_running_loop().time())
        if notice.channel != HERE_CHANNEL:
            self._tell(notice.channel, names)
        elif names == _HELLO:
            for callback in self._on_hello:
                callback()

    def _tell(self, channel: str, names: str) -> None:
        for callback in self._callbacks[channel]:
            try:
                callback(None if names == ANYTHING else set(names.split(",")))
            except Exception:  # noqa: BLE001 - one listener's trouble must not deafen the others
                _log.exception("wake_up_callback_failed", channel=channel)
