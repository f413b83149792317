"""Reads an exported run (eventstore.exported) that anybody may have written: line by line, and each line checked.

A line is taken if it is, byte for byte, what this version exports for the event that it has: so nothing of it is lost,
and the SHA-256 of the line is the hash of the event. Each refusal names the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, cast

import orjson

from eventstore.batch import encode_events
from eventstore.chain import event_body, hashed_text
from eventstore.errors import LogUnfoldable, ValueRefused
from eventstore.exported import FORMAT, VERSION, ExportHeader
from eventstore.import_lines import ImportLimits, ImportRefused, PackedLines
from eventstore.sealing import RunKey, is_sealed, open_event
from eventstore.store import is_run_id
from runs.event import Event, parse_time
from runs.frames import frame
from schemas.events import check_frame
from schemas.refusal import DocumentRefused
from schemas.vocabulary import EVENT_TYPES

_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_NAME_CHARS = 100
_TOMBSTONE = '"erased" has "at", "by" and "reason"'
_MEMBERS = frozenset(
    {
        "after",
        "at",
        "correlationId",
        "detail",
        "message",
        "nodeId",
        "payload",
        "planVersion",
        "runId",
        "seq",
        "type",
    }
)


@dataclass(frozen=True, slots=True)
class ImportedEvent:
    """An event of the file, in its line. Its hash is that of the line, where it has one."""

    event: Event
    text: bytes
    after: str | None


class ExportedRun:
    """An exported run as a file. `events` may be read more than once."""

    def __init__(self, path: Path, limits: ImportLimits, newest_schema: int) -> None:
        """Read the header. Raises ImportRefused, OSError."""
        self._path = path
        self._limits = limits
        self.line = 1
        """The number of the line that was read last."""

        self.header = _header(next(iter(PackedLines(path, limits)), b""), newest_schema)
        if self.header.events > limits.events:
            message = f"the run has {self.header.events} events, and {limits.events} may be imported"
            raise ImportRefused("too_large", message, 1)

    def events(self) -> Iterator[ImportedEvent]:
        """The events in order, each checked by itself and against those before it. Raises ImportRefused, OSError.

        What is wrong with the last one is found after it was given.
        """
        lines, check = PackedLines(self._path, self._limits), _Chain(self.header)
        for text in islice(lines, 1, None):
            self.line = lines.line
            found = _event(text, self.line, self.header.run_id, self.header.key)
            check.add(found, self.line)
            yield found
        check.end(self.line)

    def texts(self) -> Iterator[bytes]:
        """The lines of the events, as they are."""
        return islice(PackedLines(self._path, self._limits), 1, None)


class _Chain:
    """Checks that events follow each other, and that each is what was hashed."""

    def __init__(self, header: ExportHeader) -> None:
        self._header = header
        self._seq = 0
        self._last: ImportedEvent | None = None
        self._chained = False

    def add(self, found: ImportedEvent, line: int) -> None:
        """Raises ImportRefused."""
        event = found.event
        if event.seq != self._seq + 1:
            raise ImportRefused("gap", f"it has event {event.seq}, not event {self._seq + 1}", line)
        self._check_hash(found.after, line)
        self._seq, self._last = event.seq, found

    def end(self, line: int) -> None:
        """Raises ImportRefused."""
        if self._seq != self._header.events or self._last is None:
            message = f"the header says {self._header.events} events, and there are {self._seq}"
            raise ImportRefused("gap", message, line)
        self._check_hash(self._header.head_hash, line + 1)

    def _check_hash(self, said: str | None, line: int) -> None:
        """`said` is what the next line, or the header, has as the hash of the last event."""
        if self._last is None:
            if said is not None:
                raise ImportRefused("hash", "it has the hash of an event before it, and is the first", line)
            return
        if said is None:
            if self._chained:
                raise ImportRefused("hash", "its event has no hash, and the one before it has one", line - 1)
            return
        if sha256(self._last.text).hexdigest() != said:
            message = f"event {self._seq} is not what was written, or {self._after_words(line)}"
            raise ImportRefused("hash", message, line - 1)
        event, self._chained = self._last.event, True
        counts = event.type == "complete" and not event.erased
        count = (event.detail or {}).get("eventCount") if counts else self._seq
        if count != self._seq:
            raise ImportRefused(
                "count", f"complete counts {count} events, and is event {self._seq}", line - 1
            )

    def _after_words(self, line: int) -> str:
        after = "the header" if self._seq == self._header.events else f"line {line}"
        return f"the hash of it in {after} is not"


def _header(line: bytes, newest_schema: int) -> ExportHeader:
    """Raises ImportRefused."""
    header = _object(line, 1)
    if header.get("format") != FORMAT:
        raise ImportRefused("header", f'"format" is not "{FORMAT}": this is no exported run', 1)
    version, schema = header.get("version"), header.get("schema")
    if type(version) is not int or type(schema) is not int or version < 1 or schema < 1:
        raise ImportRefused("header", '"version" and "schema" are whole numbers from 1', 1)
    by = header.get("flexrun")
    if version > VERSION or schema > newest_schema:
        message = (
            f"it was written by a later version of flexrun ({_short(by)}: format {version}, schema {schema}); this one"
            f" reads format {VERSION} and schemas up to {newest_schema}. Update this installation first"
        )
        raise ImportRefused("newer", message, 1)
    run_id, events, head_hash = header.get("runId"), header.get("events"), header.get("headHash")
    if not isinstance(run_id, str) or not is_run_id(run_id):
        raise ImportRefused("header", '"runId" is no run id', 1)
    if type(events) is not int or events < 1:
        raise ImportRefused("header", '"events" is a whole number from 1', 1)
    if head_hash is not None and not _is_hash(head_hash):
        raise ImportRefused("header", '"headHash" is a SHA-256 in hex, or null', 1)
    installation = header.get("installation")
    if (
        not isinstance(by, str)
        or not _is_name(by)
        or (installation is not None and not _is_name(installation))
    ):
        raise ImportRefused(
            "header", f'"flexrun" and "installation" are texts of up to {_MAX_NAME_CHARS} characters', 1
        )
    exported_at, key = _time(header.get("exportedAt"), 1), _key(header, run_id)
    return ExportHeader(run_id, events, head_hash, exported_at, by, installation, key)


def _key(header: dict[str, Any], run_id: str) -> RunKey | None:
    """The key of a run whose events are sealed, or its tombstone. Raises ImportRefused."""
    key, erased = header.get("key"), header.get("erased")
    if key is not None:
        if erased is not None or not _is_hash(key):
            raise ImportRefused("header", '"key" is 256 bits in hex, of a run that was not erased', 1)
        return RunKey(run_id, bytes.fromhex(key))
    if erased is None:
        return None
    if not isinstance(erased, dict):
        raise ImportRefused("header", _TOMBSTONE, 1)
    said = cast("dict[str, Any]", erased)
    by, reason = said.get("by"), said.get("reason")
    if not isinstance(by, str | None) or not isinstance(reason, str | None):
        raise ImportRefused("header", _TOMBSTONE, 1)
    return RunKey(run_id, None, _time(said.get("at"), 1), by, reason)


def _event(line: bytes, number: int, run_id: str, key: RunKey | None) -> ImportedEvent:
    """Raises ImportRefused."""
    row = _object(line, number)
    if row.keys() != _MEMBERS:
        wrong = sorted(row.keys() ^ _MEMBERS)[:5]
        raise ImportRefused("event", f"an event has the members of docs/proof.md; wrong are {wrong}", number)
    if row["runId"] != run_id:
        message = f"it is of run {_short(row['runId'])}, and the header is of run {run_id}"
        raise ImportRefused("foreign", message, number)
    if row["type"] not in EVENT_TYPES:
        message = f"this version of flexrun knows no events of type {_short(row['type'])}"
        raise ImportRefused("unknown_type", message, number)
    _require_types(row, number)
    event = Event(
        run_id=run_id,
        seq=row["seq"],
        type=row["type"],
        payload=row["payload"],
        recorded_at=_time(row["at"], number),
        correlation_id=row["correlationId"],
        node_id=row["nodeId"],
        plan_version=row["planVersion"],
        message=row["message"],
        detail=row["detail"],
    )
    try:
        encode_events([event])
        same = hashed_text(row["after"], event_body(event)) == line
        opened = _opened(event, key, number)
        check_frame(frame(opened))
    except (ValueRefused, DocumentRefused) as error:
        raise ImportRefused("event", str(error), number) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImportRefused("event", f"its payload lacks what it must have: {error!r}", number) from None
    if not same:
        raise ImportRefused("event", "it is not in the canonical form in which events are exported", number)
    return ImportedEvent(opened, line, row["after"])


def _opened(event: Event, key: RunKey | None, number: int) -> Event:
    """The event as it was before it was sealed. Raises ImportRefused."""
    if is_sealed(event) != (key is not None):
        message = (
            "it is sealed, and the header has no key" if key is None else "it is not sealed as the others are"
        )
        raise ImportRefused("event", message, number)
    try:
        return open_event(event, key) if key is not None else event
    except LogUnfoldable:
        raise ImportRefused(
            "event", "it is sealed, and the key in the header does not open it", number
        ) from None


def _require_types(row: dict[str, Any], number: int) -> None:
    optional_texts = ("correlationId", "message", "nodeId")
    fits = (
        type(row["seq"]) is int
        and isinstance(row["payload"], dict)
        and isinstance(row["detail"], dict | None)
        and (row["planVersion"] is None or type(row["planVersion"]) is int)
        and all(isinstance(row[name], str | None) for name in optional_texts)
        and (row["after"] is None or _is_hash(row["after"]))
    )
    if not fits:
        raise ImportRefused("event", "a member is not of the type that docs/proof.md says", number)


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ImportRefused("header" if number == 1 else "event", f"it is no JSON: {error}", number) from None
    if not isinstance(found, dict):
        raise ImportRefused("header" if number == 1 else "event", "it is no JSON object", number)
    return cast("dict[str, Any]", found)


def _time(text: object, number: int) -> datetime:
    try:
        return parse_time(cast(str, text))
    except (TypeError, ValueError):
        raise ImportRefused(
            "header" if number == 1 else "event", "its time is no RFC 3339 time", number
        ) from None


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME_CHARS and value.isprintable()


def _short(value: object) -> str:
    return repr(value)[:_MAX_NAME_CHARS]
