"""The hash chain of a run: each event's hash covers the event and the hash of the event before it.

What is hashed, and how anybody can compute it again, is in docs/proof.md. Events that were stored before there were
hashes have none; the chain begins with the first event that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import Any, Literal

from runs.event import Event, rfc3339
from runs.values import changed
from schemas.canonical_form import canonical_text, sorted_text

Cause = Literal["missing", "changed", "unhashed", "foreign", "count", "cut"]
"""missing: an event before this one · changed: the event or the one before it · unhashed: no hash after one with a
hash · foreign: an event of another run · count: `complete` counts another number · cut: events at the end."""


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """The place in a run's log that shows that it is not as it was written: which event, and what is wrong with it."""

    run_id: str
    seq: int
    cause: Cause
    message: str

    def __str__(self) -> str:
        return f"run {self.run_id} event {self.seq}: {self.message}"


def event_members(event: Event) -> dict[str, Any]:
    """What is hashed of an event, but for the hash of the one before it."""
    at = event.recorded_at
    return {
        # orjson writes the same time much faster, but leaves out a fraction of zero.
        "at": at if at.microsecond and at.tzinfo is UTC else rfc3339(at),
        "correlationId": event.correlation_id,
        "detail": event.detail,
        "message": event.message,
        "nodeId": event.node_id,
        "payload": event.payload,
        "planVersion": event.plan_version,
        "runId": event.run_id,
        "seq": event.seq,
        "type": event.type,
    }


def event_text(event: Event) -> bytes:
    """An event as JSON with sorted keys, mostly its canonical form. Raises TypeError for what cannot be JSON."""
    return sorted_text(event_members(event))


def hashed_text(previous: str | None, body: bytes) -> bytes:
    """What is hashed: the event's canonical form with the member `after`, the hash of the event before it."""
    return b'{"after":%b,%b' % (b'"%b"' % previous.encode() if previous is not None else b"null", body[1:])


def event_body(event: Event) -> bytes:
    """The canonical form of an event."""
    return canonical_text(event_text(event))


def event_hash(previous: str | None, event: Event) -> str:
    """The hash (hex) of an event that follows the event with the hash `previous`."""
    return sha256(hashed_text(previous, event_body(event))).hexdigest()


def is_hash_of(digest: str, previous: str | None, event: Event) -> bool:
    """Whether `digest` is the hash of an event that follows the event with the hash `previous`.

    A text with that hash is what was written, so the canonical form is made only where the sorted text has another one.
    """
    text = event_text(event)
    if sha256(hashed_text(previous, text)).hexdigest() == digest:
        return True
    canonical = canonical_text(text)
    return canonical != text and sha256(hashed_text(previous, canonical)).hexdigest() == digest


@dataclass(frozen=True, slots=True)
class Links:
    """The hashes of events that follow each other, and the events as `flex_append` takes them, joined by commas."""

    hashes: list[str]
    rows: bytes


def link(previous: str | None, texts: Sequence[bytes], stored: Sequence[bytes] | None = None) -> Links:
    """Chain the events of these texts (`event_text`) behind the event with the hash `previous`.

    Where they are not stored as they are hashed, `stored` has their texts without their large values.
    """
    hashes: list[str] = []
    rows: list[bytes] = []
    for text, kept in zip(texts, stored or texts, strict=True):
        previous = sha256(hashed_text(previous, canonical_text(text))).hexdigest()
        hashes.append(previous)
        rows.append(b'{"hash":"%b",%b' % (previous.encode(), kept[1:]))
    return Links(hashes, b",".join(rows))


def chained(previous: str | None, events: Sequence[Event]) -> list[Event]:
    """`events` with their hashes; the first one follows the event with the hash `previous`."""
    hashes = link(previous, [event_text(event) for event in events]).hashes
    return [changed(event, hash=each) for event, each in zip(events, hashes, strict=True)]


def check_chain(events: Iterable[Event], *, head: int | None = None) -> ChainBreak | None:
    """The first place where the whole log of a run is not as it was written; None where it is.

    `head` is the last seq that the run is known to have had, where something else tells.
    """
    checked = ChainCheck()
    for event in events:
        found = checked.add(event)
        if found is not None:
            return found
    return checked.end(head)


class ChainCheck:
    """Checks the events of one run as they come, in the order of their seqs."""

    def __init__(self) -> None:
        self.seq = 0
        self.head_hash: str | None = None
        self._run_id = ""
        self._complete = False

    def add(self, event: Event) -> ChainBreak | None:
        """What is wrong with the next event; the check goes on from the hash that it has."""
        wrong = self._wrong(event)
        self._run_id, self.seq, self.head_hash = event.run_id, event.seq, event.hash
        self._complete = event.type == "complete"
        return wrong

    def end(self, head: int | None = None) -> ChainBreak | None:
        """What is missing after the last event."""
        if head is not None and self.seq < head:
            message = f"the events after it are missing, up to event {head}"
            return ChainBreak(self._run_id, self.seq, "cut", message)
        return None

    def _wrong(self, event: Event) -> ChainBreak | None:
        cause: Cause
        if self._run_id not in ("", event.run_id):
            cause, message = "foreign", f"it follows an event of run {self._run_id}"
        elif event.seq != self.seq + 1:
            cause, message = "missing", f"event {self.seq + 1} is missing before it"
        elif self._complete:
            cause, message = "changed", "it follows complete, which is the last event of a run"
        elif event.hash is None:
            if self.head_hash is None:
                return None
            cause, message = "unhashed", "it has no hash, though the event before it has one"
        elif not is_hash_of(event.hash, self.head_hash, event):
            cause, message = "changed", "it or the hash of the event before it is not what was written"
        elif event.type == "complete" and _count(event.detail) != event.seq:
            cause, message = "count", f"complete counts {_count(event.detail)} events"
        else:
            return None
        return ChainBreak(event.run_id, event.seq, cause, message)


def _count(detail: dict[str, Any] | None) -> object:
    return (detail or {}).get("eventCount")
