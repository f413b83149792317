"""An append that waits for its answer, and the encoding of several of them as one call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from eventstore.chain import event_text
from eventstore.errors import ValueRefused
from eventstore.projection import Sections
from eventstore.values import LARGE_BYTES, Splitter
from runs.event import Event, JsonObject
from runs.outstanding import Work
from runs.state import RunState

DEFAULT_LEASE_SECONDS = 30.0

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class Lease:
    """The worker that the work of a commit belongs to, and the seconds after its last heartbeat when that ends."""

    worker: str
    seconds: float


DEFAULT_LEASE = Lease("", DEFAULT_LEASE_SECONDS)
"""Work that is started without a lease gets a short one without heartbeats, so that it cannot be lost."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that is stored. `new_work` is the unstarted work that it made outstanding, also what is due later."""

    before: RunState
    after: RunState
    events: list[Event]
    new_work: list[Work]


@dataclass(slots=True, eq=False)
class PendingAppend:
    """An append and the future that its caller waits for. `in_doubt`: an earlier try may have been stored.

    `values` are the large values of its events and rows, by their hashes.
    """

    commit: Commit
    sections: dict[str, bytes]
    values: dict[str, bytes]
    size_bytes: int
    enqueued_at: float
    answer: asyncio.Future[Commit]
    in_doubt: bool = field(default=False)

    @property
    def run_id(self) -> str:
        return self.commit.after.run_id


def encode_events(events: Sequence[Event]) -> list[bytes]:
    """The text of each event, before it has its place in the chain. Raises ValueRefused."""
    try:
        texts = list(map(event_text, events))
    except TypeError as error:  # orjson's JSONEncodeError is one
        raise _no_json(error) from None
    for text in texts:
        _refuse_nul(text)
    return texts


def encode_sections(sections: Sections, lease: Lease, splitter: Splitter | None) -> dict[str, bytes]:
    """Section → its rows as JSON, without the brackets and without their large values, which `splitter` has then.

    Without one they stay.

    Raises ValueRefused for a value that Postgres cannot store.
    """
    for work in sections.get("work", ()):
        if work["started"]:
            work["worker"] = lease.worker
            work["lease_seconds"] = lease.seconds
    return {name: _encode_section(name, rows, splitter) for name, rows in sections.items()}


def _encode_section(name: str, rows: list[JsonObject], splitter: Splitter | None) -> bytes:
    text = _encode(rows)
    large = splitter is not None and len(text) > LARGE_BYTES and splitter.rows(name, rows)
    return _encode(rows) if large else text


def _encode(rows: Sequence[Any]) -> bytes:
    try:
        text = orjson.dumps(rows)
    except TypeError as error:  # orjson's JSONEncodeError is one
        raise _no_json(error) from None
    _refuse_nul(text)
    return text[1:-1]


def _no_json(error: TypeError) -> ValueRefused:
    return ValueRefused(f"this cannot be kept as JSON: {error}")


def _refuse_nul(text: bytes) -> None:
    if rb"\u0000" in text and _ESCAPED_NUL.search(text):
        raise ValueRefused("a text holds a NUL character (\\u0000), which the database cannot keep")


def encode_batch(pending: Sequence[PendingAppend]) -> bytes:
    """The one parameter of `flex_append`."""
    sections: dict[str, list[bytes]] = {}
    for append in pending:
        for name, rows in append.sections.items():
            sections.setdefault(name, []).append(rows)
    pieces: list[bytes] = []
    for name, rows in sections.items():
        pieces += (b"," if pieces else b"{", b'"%b":[' % name.encode())
        for index, each in enumerate(rows):
            pieces += (b",", each) if index else (each,)
        pieces.append(b"]")
    return b"".join((*pieces, b"}"))  # joined once: a batch may be large
