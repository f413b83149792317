"""Seals the events of runs that can be erased as they are stored, and opens them as they are read.

Whether a run has a key is settled by its first append. A run without one costs nothing here but a look at its state
or its first event. Keys are read anew with each read, so that what was erased is erased for every process at once;
appends use a key that is remembered, since a run in progress is never erased.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.lru import LruCache
from eventstore.keyring import keyring
from eventstore.reader import Reader
from eventstore.sealing import RunKey, is_sealed, new_key, open_event, seal
from eventstore.slices import Slices
from runs.errors import RunErased
from runs.event import Event
from runs.state import RunState

_KEPT_KEYS = 4_096
_LARGE_CHARS = 64 * 1024
"""Sealed events above it are opened on a thread."""


_Run = tuple[str, datetime | None]
"""A run by its id and its start: a run that was removed and one of the same idempotency key after it share the id."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """The stored form of the events of an append; `new_key` is what the database gets as the key of a new run."""

    events: Sequence[Event]
    new_key: bytes | None


class Seals:
    """The keys of a process. `erasable`: runs that this process starts get one."""

    def __init__(self, reader: Reader, erasable: bool) -> None:
        self._reader = reader
        self._erasable = erasable
        self._keys: LruCache[_Run, bytes] = LruCache(_KEPT_KEYS)

    def applies(self, before: RunState) -> bool:
        """Whether what follows this state is stored in sealed form."""
        return before.sealed or (not before.exists and (self._erasable or bool(keyring())))

    def protects(self, before: RunState) -> bool:
        """Whether the rows of what follows this state have no payload."""
        return before.protected or (not before.exists and bool(keyring()))

    async def seal(self, before: RunState, after: RunState, events: Sequence[Event], chars: int) -> Sealed:
        """The stored form of events that lead from `before` to `after`; `chars` is the length of their texts.

        Raises RunErased, StoreUnavailable.
        """
        key = await self._key_of(before) if before.exists else new_key()
        large = chars > _LARGE_CHARS
        stored = await asyncio.to_thread(_seal_all, events, key) if large else _seal_all(events, key)
        return Sealed(stored, None if before.exists else _stored_key(after.tenant, key))

    async def _key_of(self, state: RunState) -> bytes:
        key = self._keys.get(_run_of(state))
        if key is None:
            known = (await self.keys([state.run_id]))[state.run_id]
            if known.key is None:
                raise erased(known)
            key = known.key
            self._keys.put(_run_of(state), key)
        return key

    async def open(self, events: list[Event]) -> list[Event]:
        """Events of the log as they were before they were sealed, or with a tombstone where they were erased.

        Raises LogUnfoldable, StoreUnavailable.
        """
        run_ids = {event.run_id for event in events if is_sealed(event)}
        return await open_all(events, await self.keys(run_ids)) if run_ids else events

    async def keys(self, run_ids: Iterable[str]) -> dict[str, RunKey]:
        """The keys of these runs as they are now; one without a row has neither key nor tombstone."""
        asked = list(run_ids)
        rows = (await self._reader.query("erasure/keys", {"run_ids": asked})).read(RunKey)
        return {run_id: RunKey(run_id, None) for run_id in asked} | {
            row.run_id: row.unwrapped() for row in rows
        }

    async def refuse_erased(self, state: RunState) -> None:
        """Raise RunErased where the run of this state was erased since. Raises StoreUnavailable."""
        if state.sealed:
            known = (await self.keys([state.run_id]))[state.run_id]
            if known.key is None:
                raise erased(known)

    def forget(self, run_ids: set[str] | None) -> None:
        """Forget the keys of these runs; None: all keys."""
        self._keys.discard_where(lambda run, _: run_ids is None or run[0] in run_ids)


async def open_all(events: Sequence[Event], keys: dict[str, RunKey]) -> list[Event]:
    """Each event opened that is sealed, by the key of its run. Raises LogUnfoldable."""
    if sum(len(event.payload["sealed"]) for event in events if is_sealed(event)) > _LARGE_CHARS:
        return await asyncio.to_thread(_open_all, events, keys)
    opened, slices = list[Event](), Slices()
    for event in events:
        opened.append(open_event(event, keys[event.run_id]) if is_sealed(event) else event)
        await slices.pause()
    return opened


def erased(key: RunKey) -> RunErased:
    """What is said of a run whose key is gone."""
    return RunErased.of(key.run_id, key.tombstone)


def _open_all(events: Sequence[Event], keys: dict[str, RunKey]) -> list[Event]:
    return [open_event(event, keys[event.run_id]) if is_sealed(event) else event for event in events]


def _seal_all(events: Sequence[Event], key: bytes) -> list[Event]:
    return [seal(event, key) for event in events]


def _stored_key(tenant: str, key: bytes) -> bytes:
    known = keyring()
    return known.wrap(tenant, key) if known else key


def _run_of(state: RunState) -> _Run:
    return state.run_id, state.created_at
