"""Tells other processes what this one has committed: at once after a quiet time, in bundles under load.

Names that are to be told are collected in `_Untold`. They leave it when a notification takes them and come back when
that fails, so at each moment a name is either there, or in the one call under way, or told.

    WAITING ── a name is added ──► SENDING ── sent ──► RESTING (QUIET_SECONDS) ──► WAITING
                                      │
                                      └── failed: the names come back ──► BACKING_OFF ──► SENDING
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from eventstore.background import end_background, start_background
from eventstore.batch import Commit
from eventstore.connection import Connection, connect, hang_up_after
from eventstore.errors import brief
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.outage import log_unexpected
from eventstore.pause import DoublingPause
from eventstore.statements import statement
from eventstore.store import EventStore
from eventstore.wake_ups import ANYTHING, LOG_CHANNEL, WORK_CHANNEL, encode_names
from runs.outstanding import TIMER_QUEUE

QUIET_SECONDS = 0.005
"""The least time between two notifications of one process: what is committed meanwhile goes into the next."""

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


class _Untold:
    """Run ids and queues that no notification has told yet. Queues come with runs, never alone."""

    def __init__(self) -> None:
        self._runs: set[str] = set()
        self._queues: set[str] = set()
        self._some = asyncio.Event()

    def __bool__(self) -> bool:
        return self._some.is_set()

    def add(self, runs: Iterable[str], queues: Iterable[str]) -> None:
        self._runs.update(runs)
        self._queues.update(queues)
        self._some.set()

    def take(self) -> tuple[set[str], set[str]]:
        runs, self._runs = self._runs, set()
        queues, self._queues = self._queues, set()
        self._some.clear()
        return runs, queues

    async def wait(self) -> None:
        await self._some.wait()


class Notifier:
    """Sends the notifications of the commits of `store`; with this process's `listener`, only while others listen."""

    def __init__(self, store: EventStore, listener: LogListener | None = None) -> None:
        self._store = store
        self._listener = listener
        self._untold = _Untold()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Start telling. It never fails: a database that cannot be reached is tried again."""
        refuse_second_start(self, started=self._task is not None)
        self._store.on_commit(self._on_commit)
        if self._listener is not None:
            self._listener.on_hello(self._tell_anything)
        self._task = start_background("notifier", self._run())

    async def close(self) -> None:
        """Tell what is left, and stop."""
        if self._task is None or self._closed:
            return
        self._closed = True
        await end_background(self._task)
        if self._untold:
            await self._send()
        await self._drop_connection()

    def _tell_anything(self) -> None:
        self._untold.add([ANYTHING], [ANYTHING])

    def _on_commit(self, commit: Commit) -> None:
        if self._listener is None or not self._listener.alone:
            self._untold.add([commit.after.run_id], _queues_to_wake(commit))

    async def _run(self) -> None:
        pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            await self._untold.wait()
            if await self._send():
                pause.reset()
                await asyncio.sleep(QUIET_SECONDS)
            else:
                await pause.wait()

    async def _send(self) -> bool:
        """Tell all that is untold; False where it failed and is untold again."""
        runs, queues = self._untold.take()
        try:
            await self._notify(runs, queues)
        except asyncio.CancelledError:
            self._untold.add(runs, queues)
            raise
        except Exception as error:  # noqa: BLE001 - after any error of one try the next one tells the names
            self._untold.add(runs, queues)
            log_unexpected("notify_failed", error)
            stale = self._connection is not None and self._connection.closed
            if not stale:  # a connection that was lost while it was idle says nothing of the server now
                self._store.outage.failed("notifier", brief(error))
            await self._drop_connection()
            return False
        self._store.outage.worked("notifier")
        return True

    async def _notify(self, runs: set[str], queues: set[str]) -> None:
        told = {LOG_CHANNEL: runs, WORK_CHANNEL: queues} if queues else {LOG_CHANNEL: runs}
        payloads = [encode_names(self._store.origin, names) for names in told.values()]
        if self._connection is None:
            self._connection = await connect(self._store.database_url, "notifier")
        with hang_up_after(self._connection):
            await self._connection.execute(
                statement("processes/notify"), {"channels": list(told), "payloads": payloads}, prepare=True
            )

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _queues_to_wake(commit: Commit) -> list[str]:
    """The queues with new work that is due; timers are the keeper's."""
    now = commit.after.updated_at
    return [
        work.queue
        for work in commit.new_work
        if work.queue != TIMER_QUEUE and (work.due_at is None or now is None or work.due_at <= now)
    ]
