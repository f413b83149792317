"""What attempts have made so far: live for readers that ask for it, and never in the log.

An attempt hands in pieces of text or JSON Patch operations (RFC 6902). They are collected and stored ten times a second
at most, for all attempts of the process in one statement, and the gateways are told which runs have more. Whoever
begins to read later finds all of it in the table. It is a help for people who wait: where it cannot be stored it is
tried again with the next piece, and no attempt is held up or fails.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from eventstore.background import end_background, start_background
from eventstore.errors import StoreError
from eventstore.heartbeat import AttemptKey
from eventstore.store import EventStore
from eventstore.wake_ups import NO_ORIGIN, PARTIAL_CHANNEL, encode_names
from runs.event import Json, JsonObject

STORE_SECONDS = 0.1
MAX_CHARS = 256 * 1024
"""What is kept of one attempt, text and patches each; what comes after that is left out."""

MAX_ATTEMPTS = 10_000
"""Attempts of one process whose sizes are known; beyond that the one that was silent longest is forgotten."""

_PART = "partial outputs"


@dataclass(frozen=True, slots=True)
class PartialRow:
    """What one attempt has made so far."""

    run_id: str
    node_id: str
    attempt: int
    text: str
    patches: list[JsonObject]


@dataclass(slots=True)
class _Pieces:
    texts: list[str] = field(default_factory=list[str])
    patches: list[Json] = field(default_factory=list[Json])


class PartialOutputs:
    """The pieces of a process's attempts on their way to the table."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: dict[AttemptKey, _Pieces] = {}
        self._sizes: OrderedDict[AttemptKey, int] = OrderedDict()
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, key: AttemptKey, text: str = "", patch: Sequence[JsonObject] = ()) -> bool:
        """Take a piece; False where it is left out, since the attempt has made too much."""
        cleaned = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        size = self._sizes.get(key, 0) + len(cleaned) + (len(orjson.dumps(list(patch))) if patch else 0)
        if size > MAX_CHARS:
            return False
        self._sizes[key] = size
        self._sizes.move_to_end(key)
        if len(self._sizes) > MAX_ATTEMPTS:
            self._sizes.popitem(last=False)
        pieces = self._waiting.setdefault(key, _Pieces())
        if cleaned:
            pieces.texts.append(cleaned)
        pieces.patches.extend(patch)
        self._some.set()
        if self._task is None:
            self._task = start_background("partial-outputs", self._keep_storing())
        return True

    def ended(self, key: AttemptKey) -> None:
        """Forget an attempt: nothing of it is stored any more."""
        self._sizes.pop(key, None)
        self._waiting.pop(key, None)

    async def close(self) -> None:
        """Stop storing."""
        await end_background(self._task)

    async def _keep_storing(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self._store_all()
                self._store.outage.worked(_PART)
            except StoreError as error:
                self._store.outage.failed(_PART, str(error), on_demand=True)
            await asyncio.sleep(STORE_SECONDS)

    async def _store_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        rows = [_row(key, pieces) for key, pieces in waiting.items() if key in self._sizes]
        if rows:
            try:
                await self._store.fetch(
                    "partial/add", {"rows": orjson.dumps(rows).decode(), "most": MAX_CHARS}
                )
            except BaseException:
                self._put_back(waiting)
                raise
            runs = {run_id for run_id, _, _ in waiting}
            payload = encode_names(NO_ORIGIN, runs)
            await self._store.fetch(
                "processes/notify", {"channels": [PARTIAL_CHANNEL], "payloads": [payload]}
            )

    def _put_back(self, waiting: dict[AttemptKey, _Pieces]) -> None:
        for key, pieces in waiting.items():
            later = self._waiting.get(key, _Pieces())
            self._waiting[key] = _Pieces(pieces.texts + later.texts, pieces.patches + later.patches)


def _row(key: AttemptKey, pieces: _Pieces) -> JsonObject:
    run_id, node_id, attempt = key
    return {
        "run_id": run_id,
        "node_id": node_id,
        "attempt": attempt,
        "text": "".join(pieces.texts),
        "patches": pieces.patches,
    }


async def read_partial(store: EventStore, run_ids: Sequence[str]) -> dict[str, list[PartialRow]]:
    """What the attempts of these runs have made so far, by run. Raises StoreUnavailable."""
    found: dict[str, list[PartialRow]] = {run_id: [] for run_id in run_ids}
    for row in await store.select(PartialRow, "partial/read", {"run_ids": list(run_ids)}):
        found[row.run_id].append(row)
    return found
