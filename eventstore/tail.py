"""Follows runs: one tail per process for all readers and runs.

A commit of this process goes straight to the readers of its run. Commits of other processes come with a wake-up, and
one query fetches all changed runs that have readers here. Each event is encoded once. A slow poll finds changes
without a wake-up. A reader that lags behind the window of its run reads the database itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from types import TracebackType
from typing import Generic, Self, TypeVar

import structlog

from contracts.lru import LruCache
from eventstore.background import end_background, start_background
from eventstore.batch import Commit
from eventstore.errors import StoreError
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.store import EventStore, is_run_id
from eventstore.topic import Topic
from runs.event import Event

T = TypeVar("T")

FETCH_RUNS = 200
FETCH_EVENTS_EACH = 500
_POLL_RUNS = 2000
_RECENT_RUNS = 1024
_PAUSE_SECONDS = 0.2

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class TailClosed(Exception):
    """The process is shutting down: read on elsewhere."""


class RunSubscription(Generic[T]):
    """One reader of one run, at `cursor`: the seq of the last event that it was given. A context manager."""

    def __init__(self, tail: RunTail[T], topic: Topic[T], cursor: int) -> None:
        self._tail = tail
        self._topic = topic
        self._open = True
        self.cursor = cursor
        tail.readers.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Read no more. May be called twice."""
        if self._open:
            self._open = False
            self._tail.readers.discard(self)
            self._tail.forget(self._topic)

    @property
    def behind(self) -> int:
        """How many events that this process knows of were not given yet."""
        return max(self._topic.head - self.cursor, 0)

    async def next_batch(self, timeout_seconds: float) -> list[tuple[int, T]]:
        """What follows the cursor, as (seq, encoded event), at least one; [] when nothing comes in time.

        Raises TailClosed when the tail is closed, and StoreUnavailable.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            if self._tail.closed:
                raise TailClosed
            batch = self._topic.after(self.cursor)
            if batch is None:
                batch = await self._tail.read_for(self._topic.run_id, self.cursor)
            if batch:
                self.cursor = batch[-1][0]
                return batch
            remaining_seconds = deadline - asyncio.get_running_loop().time()
            if remaining_seconds <= 0:
                return []
            await self._topic.changed(remaining_seconds)


class RunTail(Generic[T]):
    """Hands the events of runs to their readers, encoded by `encode`."""

    def __init__(
        self,
        store: EventStore,
        listener: LogListener | None,
        encode: Callable[[Event], T],
        poll_seconds: float = 1.0,
    ) -> None:
        self._store = store
        self._encode = encode
        self._poll_seconds = poll_seconds
        self._topics: dict[str, Topic[T]] = {}
        self._recent: LruCache[str, int] = LruCache(_RECENT_RUNS)
        self._behind: dict[str, None] = {}
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.closed = False
        self.readers = set[RunSubscription[T]]()
        store.on_commit(self._on_commit)
        store.on_erased(self._drop_windows)
        if listener is not None:
            listener.on_runs(self._on_wake_up)

    async def start(self) -> None:
        """Start following what other processes commit."""
        refuse_second_start(self, started=bool(self._tasks))
        self._tasks = [
            start_background("tail-fetch", self._keep_fetching()),
            start_background("tail-poll", self._keep_polling()),
        ]

    async def close(self) -> None:
        """End every subscription with TailClosed."""
        self.closed = True
        for topic in self._topics.values():
            topic.wake()
        await end_background(*self._tasks)

    @property
    def runs_followed(self) -> int:
        """The number of runs with readers in this process."""
        return len(self._topics)

    @property
    def readers_waiting(self) -> int:
        """The number of readers that have read everything and wait for more."""
        return sum(topic.readers_waiting for topic in self._topics.values())

    def subscribe(self, run_id: str, after: int) -> RunSubscription[T]:
        """Read what follows seq `after` of this run. Cheapest right after this process has appended `after`.

        The run need not exist yet. Raises ValueError for what cannot be a run id.
        """
        if not is_run_id(run_id):
            raise ValueError(f"not a run id: {run_id!r}")
        topic = self._topics.get(run_id)
        if topic is None:
            behind = self._recent.pop(run_id) != after
            topic = self._topics[run_id] = Topic(run_id, after)
            if behind:
                self._fall_behind([run_id])
        topic.readers += 1
        return RunSubscription(self, topic, after)

    def forget(self, topic: Topic[T]) -> None:
        """A reader of `topic` has left."""
        topic.readers -= 1
        if topic.readers == 0 and self._topics.get(topic.run_id) is topic:
            del self._topics[topic.run_id]
            self._behind.pop(topic.run_id, None)

    async def read_for(self, run_id: str, after: int) -> list[tuple[int, T]]:
        """A page of the log for a reader that is behind the window."""
        page = await self._store.read(run_id, after=after, limit=FETCH_EVENTS_EACH)
        return [(event.seq, self._encode(event)) for event in page]

    def _on_commit(self, commit: Commit) -> None:
        run_id = commit.after.run_id
        topic = self._topics.get(run_id)
        if topic is None:
            self._remember(run_id, commit)
        elif not topic.extend(commit.events, self._encode):
            self._fall_behind([run_id])

    def _remember(self, run_id: str, commit: Commit) -> None:
        """Remember the last seq of a run that began in this process, so that its first reader needs no query."""
        known = self._recent.pop(run_id) or 0
        if known == commit.before.seq and not commit.after.finished:
            self._recent.put(run_id, commit.after.seq)

    def _drop_windows(self, run_ids: set[str] | None) -> None:
        """Have readers of these runs, which were erased, read what is left from the log."""
        for topic in self._topics.values():
            if topic.sealed and (run_ids is None or topic.run_id in run_ids):
                topic.drop_window()

    def _on_wake_up(self, run_ids: set[str] | None) -> None:
        if run_ids is None:
            self._recent.clear()
            self._fall_behind(self._topics)
            return
        for run_id in run_ids:
            self._recent.discard(run_id)
        self._fall_behind(run_ids)

    def _fall_behind(self, run_ids: Iterable[str]) -> None:
        """Have those of these runs fetched that have readers in this process."""
        self._behind.update((run_id, None) for run_id in run_ids if run_id in self._topics)
        if self._behind:
            self._work.set()

    async def _keep_fetching(self) -> None:
        while True:
            await self._work.wait()
            try:
                await self._fetch()
                self._store.outage.worked("tail")
            except StoreError as error:
                self._store.outage.failed("tail", str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            # Every stream of this process stands on these two loops.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("tail_fetch_failed", runs=len(self._behind))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _fetch(self) -> None:
        """One query for the runs that have changed."""
        self._work.clear()
        topics = [self._topics[run_id] for run_id in islice(self._behind, FETCH_RUNS)]
        for topic in topics:
            del self._behind[topic.run_id]
        try:
            found = await self._store.read_many(
                {topic.run_id: topic.head for topic in topics}, limit_each=FETCH_EVENTS_EACH
            )
        except Exception:
            self._fall_behind(topic.run_id for topic in topics)
            raise
        for topic in topics:
            try:
                topic.extend(found.get(topic.run_id, ()), self._encode)
            except Exception:  # noqa: BLE001 - an event that cannot be encoded must not stall the other runs
                _log.exception("event_not_encoded", run_id=topic.run_id, after=topic.head)
        self._fall_behind(run_id for run_id, events in found.items() if len(events) == FETCH_EVENTS_EACH)

    async def _keep_polling(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.poll()
                self._store.outage.worked("tail poll")
            except StoreError as error:
                self._store.outage.failed("tail poll", str(error))
            except Exception:  # noqa: BLE001 - see _keep_fetching
                _log.exception("tail_poll_failed")

    async def poll(self) -> None:
        """Fetch the heads of all runs with readers in this process: finds changes without a wake-up."""
        followed = [run_id for run_id, topic in self._topics.items() if not topic.final]
        for first in range(0, len(followed), _POLL_RUNS):
            heads = await self._store.heads(followed[first : first + _POLL_RUNS])
            self._fall_behind(run_id for run_id, head in heads.items() if head > self._head(run_id))

    def _head(self, run_id: str) -> int:
        topic = self._topics.get(run_id)
        return topic.head if topic is not None else 0
