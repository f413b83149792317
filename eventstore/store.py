"""The event store: append, load, read."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from contracts.lru import LruCache
from eventstore import statements
from eventstore.background import end_background, start_background
from eventstore.batch import DEFAULT_LEASE, Commit, Lease
from eventstore.cache import RunCache
from eventstore.clock import DatabaseClock
from eventstore.errors import StoreError, StoreUnavailable
from eventstore.outage import Outage
from eventstore.prepared import prepare
from eventstore.reader import Reader
from eventstore.rows import Result, Rows
from eventstore.seals import Seals
from eventstore.slices import Slices
from eventstore.tenancy import EVERY_TENANT, scope, sees
from eventstore.writer import AppendQueue, Writer
from runs.event import Event
from runs.evolve import evolve
from runs.state import RunState, new_run

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
"""How long an append or a read retries while the database cannot be reached."""

CLOCK_SECONDS = 5.0
"""The interval at which the database's clock is compared with ours: a new primary may have another one."""

CACHED_RUNS = 1024
"""The default number of runs in progress whose states a process caches."""

_KEPT_TENANTS = 16_384
"""Of how many runs a process remembers to whom they belong."""

_CLOSED = "the store was closed"
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
        erasable: bool = False,
    ) -> None:
        self.database_url = database_url
        self.origin = origin or secrets.token_hex(4)
        self.clock = DatabaseClock()
        self.outage = outage or Outage("database")
        self._reader = reader
        self.seals = Seals(reader, erasable)
        self._cache = RunCache(cache_runs)
        self._tenants: LruCache[str, str] = LruCache(_KEPT_TENANTS)
        self._first_loads = WeakValueDictionary[str, asyncio.Lock]()
        self._queue = AppendQueue()
        self._patience_seconds = patience_seconds
        self._callbacks: list[Callable[[Commit], None]] = []
        self._erased_callbacks: list[Callable[[set[str] | None], None]] = []
        self._writers: list[Writer] = []
        self._writing: list[asyncio.Task[None]] = []
        self._comparing: asyncio.Task[None] | None = None
        self._unanswered: set[asyncio.Future[Commit]] = set()
        self._closed = False

    @classmethod
    async def open(  # noqa: PLR0913 - each is a setting of the process, with a default
        cls,
        database_url: str,
        *,
        writers: int = 2,
        readers: int = 4,
        cache_runs: int = CACHED_RUNS,
        patience_seconds: float = PATIENCE_SECONDS,
        origin: str | None = None,
        outage: Outage | None = None,
        erasable: bool = False,
    ) -> EventStore:
        """Connect. Raises StoreUnavailable when the database does not answer within `patience_seconds`.

        `erasable`: runs that are started here get a key (see `eventstore.sealing`).
        """
        statements.read_all()
        reader = Reader(database_url, readers, patience_seconds)
        store = cls(database_url, reader, cache_runs, patience_seconds, origin, outage, erasable)
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
        same. Raises VersionConflict, ValueRefused, LogRefused, RunErased (a fork of one), or StoreUnavailable (it may
        have been stored).
        """
        if self._closed:
            raise StoreUnavailable(_CLOSED)
        pending = await prepare(self.seals, before, after, events, lease or DEFAULT_LEASE)
        if self._closed:
            raise StoreUnavailable(_CLOSED)
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

    def on_erased(self, callback: Callable[[set[str] | None], None]) -> None:
        """Call `callback` with the runs that were erased, here or elsewhere; with None for any that can be."""
        self._erased_callbacks.append(callback)

    def forget(self, run_ids: set[str] | None) -> None:
        """Drop what this process has in memory of these runs, which were erased; None: of all that can be erased."""
        self._cache.discard_sealed(run_ids)
        self.seals.forget(run_ids)
        for callback in self._erased_callbacks:
            callback(run_ids)

    def cached(self, run_id: str) -> RunState | None:
        """The cached state of a run in progress; another process may have appended since."""
        known = self._cache.get(run_id)
        return known if known is not None and sees(known.tenant) else None

    async def load(self, run_id: str, *, fresh: bool = False) -> RunState:
        """The run's state; `seq` is 0 where there is no such run. Without `fresh` it may be the one of a moment ago."""
        state = await self._load(run_id, fresh)
        return state if sees(state.tenant) or not state.exists else new_run(run_id)

    async def _load(self, run_id: str, fresh: bool) -> RunState:
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
        """Events after seq `after`, in order, without gap; [] for a run that does not exist.

        Those of a run that was erased have a tombstone in place of their data.
        """
        return await self.seals.open(await self.read_stored(run_id, after=after, until=until, limit=limit))

    async def read_stored(
        self, run_id: str, *, after: int = 0, until: int | None = None, limit: int = 1000
    ) -> list[Event]:
        """As `read`, in the form that the log has and that is hashed: sealed, where the run has a key."""
        if not is_run_id(run_id) or not await self.visible([run_id]):
            return []
        last = _LAST_SEQ if until is None else min(until, _LAST_SEQ)
        return await self.select(
            Event,
            "log/read",
            {"run_id": run_id, "after": min(after, _LAST_SEQ), "until": last, "limit": limit},
        )

    async def read_many(self, cursors: Mapping[str, int], *, limit_each: int = 500) -> dict[str, list[Event]]:
        """The events after each run's cursor, in one query; runs with nothing new are left out."""
        run_ids = await self.visible(cursors)
        events = await self.select(
            Event,
            "log/read_many",
            {
                "run_ids": list(run_ids),
                "after": [cursors[each] for each in run_ids],
                "limit_each": limit_each,
            },
        )
        found: dict[str, list[Event]] = {}
        for event in await self.seals.open(events):
            found.setdefault(event.run_id, []).append(event)
        return found

    async def heads(self, run_ids: Sequence[str]) -> dict[str, int]:
        """The last seq of each of these runs, in one query; unknown ones are left out."""
        return dict(await self.fetch("log/heads", {"run_ids": list(await self.visible(run_ids))}))

    async def visible(self, run_ids: Iterable[str]) -> Collection[str]:
        """Those of these runs, in canonical form, that the tenant may see that is worked for. Raises StoreUnavailable.

        To whom a run belongs never changes, so it is asked once.
        """
        asked = list(run_ids)
        if scope() == EVERY_TENANT:
            return asked
        unknown = [each for each in asked if self._tenants.get(each) is None]
        if unknown:
            for run_id, tenant in await self.fetch("runs/tenants", {"run_ids": unknown}):
                self._tenants.put(run_id, tenant)
        return [each for each in asked if (tenant := self._tenants.get(each)) is not None and sees(tenant)]

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
        if not commit.before.exists:
            self._tenants.put(commit.after.run_id, commit.after.tenant)
        for callback in self._callbacks:
            try:
                callback(commit)
            except Exception:  # noqa: BLE001 - the commit is durable even if a callback fails
                _log.exception("commit_callback_failed", run_id=commit.after.run_id)


def is_run_id(text: str) -> bool:
    """Whether `text` is a run id as this store writes them: a UUID in its canonical form."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
