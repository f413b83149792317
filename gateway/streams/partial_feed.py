"""Partial outputs for readers that ask for them (`?deltas=true`): frames without an `id`, beside the log's own.

One query fetches what has changed for all readers of this gateway. A reader that is slow gets what it missed in one
piece, since each frame is made when it is written, from what the reader has and what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import structlog

from eventstore.errors import StoreError
from eventstore.listener import LogListener
from eventstore.partial_outputs import PartialRow, read_partial
from eventstore.store import PAGE_EVENTS, EventStore
from eventstore.tenancy import for_every_tenant
from gateway.streams.sse import one_line
from runs.event import Event, JsonObject
from schemas.vocabulary import EventType

DELTA_TYPE = "node_delta"
MOST_RUNS = 200
"""Runs that one query fetches."""

_ENDS: frozenset[EventType] = frozenset({"node_complete", "node_error"})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class PartialReader:
    """One reader of one run. `changed` is set when there may be more; a context manager."""

    def __init__(self, feed: PartialFeed, run_id: str) -> None:
        self.run_id = run_id
        self.changed = asyncio.Event()
        self._feed = feed
        self._running: dict[str, int] = {}
        self._sent: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        self._feed.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feed.remove(self)

    def observe(self, events: Iterable[Event]) -> None:
        """Follow which attempts run, by the events that the reader has been sent."""
        for event in events:
            node_id = event.node_id or ""
            if event.erased:
                self._running.clear()
            elif event.type == "node_start":
                self._running[node_id] = event.payload["attempt"]
                self._sent.pop(node_id, None)
                self.changed.set()
            elif event.type in _ENDS:
                self._running.pop(node_id, None)
            elif event.type == "plan_updated":
                kept = _kept(event)
                self._running = {key: each for key, each in self._running.items() if key in kept}

    def take(self) -> list[bytes]:
        """The frames of what the running attempts have made and this reader was not sent."""
        self.changed.clear()
        return [
            encode_delta(self.run_id, row.node_id, payload)
            for row in self._feed.rows(self.run_id)
            if self._running.get(row.node_id) == row.attempt
            for payload in self._payloads(row)
        ]

    def _payloads(self, row: PartialRow) -> list[JsonObject]:
        chars, patches = self._sent.get(row.node_id, (0, 0))
        self._sent[row.node_id] = (len(row.text), len(row.patches))
        made: list[JsonObject] = []
        if len(row.text) > chars:
            made.append({"attempt": row.attempt, "offset": chars, "text": row.text[chars:]})
        if len(row.patches) > patches:
            made.append({"attempt": row.attempt, "patch": row.patches[patches:]})
        return made


def _kept(event: Event) -> set[str]:
    """The nodes that a new plan has from the one before."""
    difference: JsonObject = event.payload.get("difference") or {}
    return {each["id"] for each in difference.get("kept", ())}


class PartialFeed:
    """The partial outputs of the runs that have readers here."""

    def __init__(self, store: EventStore, listener: LogListener | None) -> None:
        self._store = store
        self._readers: dict[str, list[PartialReader]] = {}
        self._rows: dict[str, list[PartialRow]] = {}
        self._stale: set[str] = set()
        self._fetching: asyncio.Task[None] | None = None
        if listener is not None:
            listener.on_partial(self._on_partial)

    async def reader(self, run_id: str, after: int) -> PartialReader:
        """A reader that has been sent the events up to `after`. Raises StoreUnavailable."""
        reader, seen = PartialReader(self, run_id), 0
        while seen < after:
            events = await self._store.read(run_id, after=seen, until=after, limit=PAGE_EVENTS)
            if not events:
                break
            reader.observe(events)
            seen = events[-1].seq
        return reader

    def rows(self, run_id: str) -> list[PartialRow]:
        """What is known of a run's attempts."""
        return self._rows.get(run_id, [])

    def add(self, reader: PartialReader) -> None:
        """Begin to follow the reader's run."""
        self._readers.setdefault(reader.run_id, []).append(reader)
        self._fetch({reader.run_id})

    def remove(self, reader: PartialReader) -> None:
        """The last reader of a run takes what is known of it along."""
        readers = self._readers[reader.run_id]
        readers.remove(reader)
        if not readers:
            del self._readers[reader.run_id]
            self._rows.pop(reader.run_id, None)

    def _on_partial(self, names: set[str] | None) -> None:
        followed = self._readers.keys()
        self._fetch(set(followed) if names is None else names & followed)

    def _fetch(self, run_ids: set[str]) -> None:
        self._stale |= run_ids
        if self._stale and (self._fetching is None or self._fetching.done()):
            self._fetching = asyncio.create_task(self._fetch_all(), context=for_every_tenant())

    async def _fetch_all(self) -> None:
        while wanted := [run_id for run_id in self._stale if run_id in self._readers][:MOST_RUNS]:
            self._stale.difference_update(wanted)
            try:
                found = await read_partial(self._store, wanted)
            except StoreError as error:
                # The next piece fetches all of it.
                _log.info("partial_outputs_not_read", reason=str(error))
                continue
            for run_id, rows in found.items():
                if run_id in self._readers:
                    self._rows[run_id] = rows
                    for reader in self._readers[run_id]:
                        reader.changed.set()
        self._stale.clear()


def encode_delta(run_id: str, node_id: str, payload: JsonObject) -> bytes:
    """A frame without an `id:` line: it moves no reader's Last-Event-ID."""
    shown = {"type": DELTA_TYPE, "runId": run_id, "nodeId": node_id, "payload": payload}
    return b"event: %b\ndata: %b\n\n" % (DELTA_TYPE.encode(), one_line(shown))
