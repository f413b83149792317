"""A run as one portable file: its whole history, in the form that was hashed, so that anybody can verify it.

gzip-compressed JSON lines. The first is the header; each other line is an event in the canonical form of docs/proof.md,
with the member `after`: the SHA-256 of a line is the hash of its event. The header has the hash of the last one.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from eventstore.chain import event_body, hashed_text
from eventstore.installation import installation_name
from eventstore.migrate import migrations
from eventstore.sealing import RunKey, is_sealed
from eventstore.store import EventStore
from runs.errors import RunUnknown
from runs.event import Event, rfc3339

FORMAT = "flexrun-run"
VERSION = 1
PAGE_EVENTS = 100
_GZIP = zlib.MAX_WBITS | 16
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class ExportHeader:
    """The first line of an exported run. `head_hash` is None where its last event is of an earlier version.

    `installation` is where it was exported; None in a file of a version that did not say it. `key` is that of a run
    whose events are sealed.
    """

    run_id: str
    events: int
    head_hash: str | None
    exported_at: datetime
    flexrun: str
    installation: str | None
    key: RunKey | None = None

    def to_line(self) -> bytes:
        header = {
            "format": FORMAT,
            "version": VERSION,
            "flexrun": self.flexrun,
            "installation": self.installation,
            "schema": migrations()[-1].number,
            "runId": self.run_id,
            "events": self.events,
            "headHash": self.head_hash,
            "exportedAt": rfc3339(self.exported_at),
            **self._key(),
        }
        return orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)

    def _key(self) -> dict[str, object]:
        """What opens the events of a run that can be erased, or says that it was."""
        if self.key is None:
            return {}
        return {"key": self.key.key.hex()} if self.key.key is not None else {"erased": self.key.tombstone}


async def export_header(
    store: EventStore, run_id: str, flexrun: str, installation: str | None = None
) -> ExportHeader:
    """What an export of the run as it is now begins with. Raises RunUnknown, StoreUnavailable.

    `installation` saves who exports many runs from asking for it each time.
    """
    head = (await store.heads([run_id])).get(run_id, 0)
    last = await store.read_stored(run_id, after=head - 1, until=head, limit=1) if head else []
    if not last:
        raise RunUnknown(f"there is no run {run_id}")
    installation = installation or await installation_name(store)
    key = (await store.seals.keys([run_id]))[run_id] if is_sealed(last[0]) else None
    return ExportHeader(run_id, head, last[0].hash, store.clock(), flexrun, installation, key)


async def exported(store: EventStore, header: ExportHeader) -> AsyncGenerator[bytes]:
    """The file, some events at a time. Raises StoreUnavailable."""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    yield packer.compress(header.to_line())
    after, previous = 0, None
    while after < header.events:
        page = await store.read_stored(header.run_id, after=after, until=header.events, limit=PAGE_EVENTS)
        if not page:
            break  # events are gone; the header says how many there were
        yield await asyncio.to_thread(_packed, packer, previous, page)
        after, previous = page[-1].seq, page[-1].hash
    yield packer.flush()


def _packed(packer: zlib._Compress, previous: str | None, events: Sequence[Event]) -> bytes:  # pyright: ignore[reportPrivateUsage] - zlib gives its type no public name
    lines: list[bytes] = []
    for event in events:
        lines.append(hashed_text(previous, event_body(event)))
        previous = event.hash
    return packer.compress(b"\n".join(lines) + b"\n")
