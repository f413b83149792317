"""Files as `runs export` writes them, of any events, and with anything changed in them."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson

from eventstore.chain import event_body, hashed_text
from runs.event import Event
from runs.values import changed


def lines_of(log: Sequence[Event], *, hashed_from: int = 1, **header: Any) -> list[bytes]:
    """The lines of an export. Events before `hashed_from` have no hash; `header` overrides members of the header."""
    after: str | None = None
    lines: list[bytes] = []
    for event in log:
        counted = counting(event) if event.seq >= hashed_from else event
        lines.append(hashed_text(after, event_body(counted)))
        after = sha256(lines[-1]).hexdigest() if event.seq >= hashed_from else None
    said = {
        "format": "flexrun-run",
        "version": 1,
        "flexrun": "0.0.9",
        "schema": 21,
        "runId": log[0].run_id,
        "events": len(log),
        "headHash": after,
        "exportedAt": "2026-11-28T11:02:11.546194Z",
        **header,
    }
    return [orjson.dumps(said), *lines]


def counting(event: Event) -> Event:
    """An event with what `complete` has got since it is hashed."""
    if event.type != "complete":
        return event
    return changed(event, detail={**(event.detail or {}), "eventCount": event.seq})


def packed(lines: Sequence[bytes]) -> bytes:
    """The lines as the file."""
    return gzip.compress(b"".join(line + b"\n" for line in lines))


def unpacked(file: bytes) -> list[bytes]:
    """The lines of a file."""
    return gzip.decompress(file).splitlines()


def with_members(file: bytes, seq: int, /, **members: Any) -> bytes:
    """The file with other members in one event, and all hashes from there on computed anew."""
    header, *lines = unpacked(file)
    after = orjson.loads(lines[0])["after"]
    for place, line in enumerate(lines):
        event = orjson.loads(line)
        event |= {"after": after, **(members if event["seq"] == seq else {})}
        lines[place] = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
        after = sha256(lines[place]).hexdigest()
    return packed([orjson.dumps({**orjson.loads(header), "headHash": after}), *lines])
