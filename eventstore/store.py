"""The event store: append, load, read."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from eventstore import statements
from eventstore.background import end_background, start_background
from eventstore.batch import DEFAULT_LEASE, Commit, Lease, PendingAppend, encode_events, encode_sections
from eventstore.cache import RunCache
from eventstore.chain import Links, link
from eventstore.clock import DatabaseClock
from eventstore.errors import StoreError, StoreUnavailable
from eventstore.outage import Outage
from eventstore.projection import project
from eventstore.reader import Reader
from eventstore.rows import Result, Rows
from eventstore.slices import Slices
from eventstore.values import Splitter
from eventstore.writer import AppendQueue, Writer
from runs.event import Event
from runs.evolve import evolve
from runs.outstanding import outstanding, same_outstanding
from runs.state import RunState, new_run
from runs.values import changed

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""How long an append or a read retries while the database cannot be reached."""

CLOCK_SECONDS = 5.0
"""The interval at which the database's clock is compared with ours: a new primary may have another one."""

CACHED_RUNS = 1024
"""The default number of runs in progress whose states a process caches."""

_CLOSED = "the store was closed"
_LARGE_BYTES = 64 * 1024
_LAST_SEQ = 2_147_483_647
PAGE_EVENTS = 1000
"""How many events of a run are read at a time."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoreLoad:
    """Appends that wait for a writer; connections for reading, in use, idle and at most; reads that wait for one."""

    appends_waiting: int
    in_use: int
    idle: int
    most: int
    reads_waiting: int


class EventStore:
    """The event store of a process. `origin` identifies its notifications; `clock` is the database's time.

    Each part that needs the database reports to `outage` whether it could reach it.
    """

    def __init__(
        self,
        database_url: str,
        reader: Reader,
        cache_runs: int,
        patience_seconds: float,
        origin: str | None = None,
        outage: Outage | None = None,
    ) -> None:
        self.database_url = database_url
        self.origin = origin or secrets.token_hex(4)
        self.clock = DatabaseClock()
        self.outage = outage or Outage("database")
        self._reader = reader
        self._cache = RunCache(cache_runs)
        self._first_loads = WeakValueDictionary[str, asyncio.Lock]()
        self._queue = AppendQueue()
        self._patience_seconds = patience_seconds
        self._callbacks: list[Callable[[Commit], None]] = []
        self._writers: list[Writer] = []
        self._writing: list[asyncio.Task[None]] = []
        self._comparing: asyncio.Task[None] | None = None
        self._unanswered: set[asyncio.Future[Commit]] = set()
        self._closed = False

    @classmethod
    async def open(
        cls,
        database_url: str,
        *,
        writers: int = 2,
        readers: int = 4,
        cache_runs: int = CACHED_RUNS,
        patience_seconds: float = PATIENCE_SECONDS,
        origin: str | None = None,
        outage: Outage | None = None,
    ) -> EventStore:
        """Connect. Raises StoreUnavailable when the database does not answer within `patience_seconds`."""
        statements.read_all()
        reader = Reader(database_url, readers, patience_seconds)
        store = cls(database_url, reader, cache_runs, patience_seconds, origin, outage)
        try:
            await reader.query(
                "database/ping", {}
            )  # connects, which takes longer than the answer whose time counts
            await store.compare_clocks()
        except BaseException:
            await reader.close()
            raise
        store._comparing = start_background("clock", store._keep_comparing_clocks())
        store._writers = [store._writer() for _ in range(writers)]
        store._writing = [
            start_background(f"writer-{number}", writer.run())
            for number, writer in enumerate(store._writers, 1)
        ]
        return store

    async def close(self) -> None:
        """Wait for the appends in flight, refuse later ones, and disconnect."""
        self._closed = True
        if self._unanswered:
            await asyncio.wait(self._unanswered, timeout=self._patience_seconds)
        await end_background(*self._writing, self._comparing)
        await self._reader.close()

    async def compare_clocks(self) -> None:
        """Ask the database for the time. Raises StoreUnavailable."""
        asked_at = self.clock.monotonic()
        rows = await self.fetch("database/time", {})
        self.clock.compare(asked_at, self.clock.monotonic(), rows[0][0])

    async def _keep_comparing_clocks(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            try:
                await self.compare_clocks()
                self.outage.worked("clock")
            except StoreError as error:
                self.outage.failed("clock", str(error))

    async def probe(self) -> None:
        """Check with each writer whether an append could be stored now. Raises StoreUnavailable."""
        for writer in self._writers:
            await writer.probe()

    def on_commit(self, callback: Callable[[Commit], None]) -> None:
        """Call `callback` in the event loop right after each commit of this process is known, before its caller is."""
        self._callbacks.append(callback)

    async def append(
        self, before: RunState, after: RunState, events: Sequence[Event], *, lease: Lease | None = None
    ) -> Commit:
        """Store `events`, which lead from `before` to `after`, and the rows that follow from them.

        The commit has them with their hashes: each covers its event and the hash of the event before it.

        A caller that is cancelled while its append is queued withdraws it; one that is in flight is stored all the
        same. Raises VersionConflict, ValueRefused, LogRefused, or StoreUnavailable (it may have been stored).
        """
        if self._closed:
            raise StoreUnavailable(_CLOSED)
        splitter = Splitter()
        links = await _link(before.head_hash, events, splitter)
        if self._closed:
            raise StoreUnavailable(_CLOSED)
        work_before, work_after = outstanding(before), outstanding(after)
        sections = encode_sections(
            project(before, after, events, work_before, work_after), lease or DEFAULT_LEASE, splitter
        )
        sections["chained"] = links.rows
        new_work = [
            work for key, work in work_after.items() if not work.started and work_before.get(key) != work
        ]
        hashed = changed(after, head_hash=links.hashes[-1])
        same_outstanding(after, hashed)
        loop = asyncio.get_running_loop()
        pending = PendingAppend(
            commit=Commit(
                before,
                hashed,
                [changed(event, hash=each) for event, each in zip(events, links.hashes, strict=True)],
                new_work,
            ),
            sections=sections,
            values=splitter.values,
            size_bytes=sum(map(len, sections.values())) + sum(map(len, splitter.values.values())),
            enqueued_at=loop.time(),
            answer=loop.create_future(),
        )
        self._unanswered.add(pending.answer)
        pending.answer.add_done_callback(self._unanswered.discard)
        self._queue.put(pending)
        return await pending.answer

    def correlation_id_of(self, run_id: str) -> str | None:
        """That of a run that this process had to do with lately; None where it is not known."""
        return self._cache.correlation_ids.get(run_id)

    @property
    def load_now(self) -> StoreLoad:
        """What waits and what is in use."""
        reader = self._reader
        return StoreLoad(len(self._queue), reader.in_use, reader.idle, reader.size, reader.waiting)

    def cached(self, run_id: str) -> RunState | None:
        """The cached state of a run in progress; another process may have appended since."""
        return self._cache.get(run_id)

    async def load(self, run_id: str, *, fresh: bool = False) -> RunState:
        """The run's state; `seq` is 0 where there is no such run. Without `fresh` it may be the one of a moment ago."""
        known = self._cache.get(run_id)
        if known is None:
            # Of many that ask for a run at once, as the slots of an executor do, one reads its log.
            async with self._first_loads.setdefault(run_id, asyncio.Lock()):
                known = self._cache.get(run_id)
                if known is None:
                    return await self._read_on(new_run(run_id))
        return await self._read_on(known) if fresh else known

    async def _read_on(self, state: RunState) -> RunState:
        """The state after all events that follow `state`."""
        run_id, slices = state.run_id, Slices()
        while True:
            page = await self.read(run_id, after=state.seq, limit=PAGE_EVENTS)
            for event in page:
                state = evolve(state, event)
                await slices.pause()
            if len(page) < PAGE_EVENTS:
                self._cache.put(state)
                return state

    async def remember(self, run_id: str, events: Iterable[Event]) -> None:
        """Keep the state that the whole log of a run leads to."""
        state, slices = new_run(run_id), Slices()
        for event in events:
            state = evolve(state, event)
            await slices.pause()
        self._cache.put(state)

    async def read(
        self, run_id: str, *, after: int = 0, until: int | None = None, limit: int = 1000
    ) -> list[Event]:
        """Events after seq `after`, in order, without gap; [] for a run that does not exist."""
        if not is_run_id(run_id):
            return []
        last = _LAST_SEQ if until is None else min(until, _LAST_SEQ)
        return await self.select(
            Event,
            "log/read",
            {"run_id": run_id, "after": min(after, _LAST_SEQ), "until": last, "limit": limit},
        )

    async def read_many(self, cursors: Mapping[str, int], *, limit_each: int = 500) -> dict[str, list[Event]]:
        """The events after each run's cursor, in one query; runs with nothing new are left out."""
        events = await self.select(
            Event,
            "log/read_many",
            {"run_ids": list(cursors), "after": list(cursors.values()), "limit_each": limit_each},
        )
        found: dict[str, list[Event]] = {}
        for event in events:
            found.setdefault(event.run_id, []).append(event)
        return found

    async def heads(self, run_ids: Sequence[str]) -> dict[str, int]:
        """The last seq of each of these runs, in one query; unknown ones are left out."""
        return dict(await self.fetch("log/heads", {"run_ids": list(run_ids)}))

    async def query(self, name: str, parameters: Mapping[str, object]) -> Result:
        """The result of a statement of `eventstore/sql/`. It may be run twice when a connection is lost."""
        return await self._reader.query(name, parameters)

    async def select(self, row_class: type[T], name: str, parameters: Mapping[str, object]) -> list[T]:
        """The rows of a statement, read by the names of their columns."""
        return (await self.query(name, parameters)).read(row_class)

    async def fetch(self, name: str, parameters: Mapping[str, object]) -> Rows:
        """The rows of a statement as tuples in the order of its columns."""
        return (await self.query(name, parameters)).rows

    def _writer(self) -> Writer:
        return Writer(self.database_url, self._queue, self._committed, self._patience_seconds, self.outage)

    def _committed(self, commit: Commit) -> None:
        self._cache.put(commit.after)
        for callback in self._callbacks:
            try:
                callback(commit)
            except Exception:  # noqa: BLE001 - the commit is durable even if a callback fails
                _log.exception("commit_callback_failed", run_id=commit.after.run_id)


async def _link(previous: str | None, events: Sequence[Event], splitter: Splitter) -> Links:
    """Large texts on a thread: those with odd numbers or keys take 0.2 s for a megabyte."""
    texts = encode_events(events)
    if sum(map(len, texts)) > _LARGE_BYTES:
        return await asyncio.to_thread(_split_and_link, previous, events, texts, splitter)
    return _split_and_link(previous, events, texts, splitter)


def _split_and_link(
    previous: str | None, events: Sequence[Event], texts: list[bytes], splitter: Splitter
) -> Links:
    return link(previous, texts, list(map(splitter.event, events, texts)))


def is_run_id(text: str) -> bool:
    """Whether `text` is a run id as this store writes them: a UUID in its canonical form."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
