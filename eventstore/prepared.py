"""Makes of the events of an append what `flex_append` takes: the stored events with their hashes, and the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from eventstore.batch import Commit, Lease, PendingAppend, encode_events, encode_sections
from eventstore.chain import Links, link
from eventstore.projection import project
from eventstore.seals import Seals
from eventstore.values import Splitter
from runs.event import Event
from runs.outstanding import outstanding, same_outstanding
from runs.state import RunState
from runs.values import changed

_LARGE_BYTES = 64 * 1024


async def prepare(
    seals: Seals, before: RunState, after: RunState, events: Sequence[Event], lease: Lease
) -> PendingAppend:
    """An append of `events`, which lead from `before` to `after`. Raises ValueRefused, RunErased, StoreUnavailable."""
    texts, keys, sealed = encode_events(events), dict[str, bytes](), seals.applies(before)
    stored_events, protected = events, seals.protects(before)
    after = changed(after, protected=protected) if protected else after
    splitter = None if sealed else Splitter()  # a value that is stored apart is not sealed
    if sealed:
        stored = await seals.seal(before, after, events, sum(map(len, texts)))
        texts, stored_events = encode_events(stored.events), stored.events
        if stored.new_key is not None:
            keys["keys"] = orjson.dumps({"run_id": after.run_id, "key": stored.new_key.hex()})
    links = await _link(before.head_hash, stored_events, texts, splitter)
    work_before, work_after = outstanding(before), outstanding(after)
    sections = encode_sections(project(before, after, events, work_before, work_after), lease, splitter)
    sections |= {"chained": links.rows, **keys, **_origin(before, after)}
    values = splitter.values if splitter is not None else {}
    hashed = changed(after, head_hash=links.hashes[-1], sealed=sealed)
    same_outstanding(after, hashed)
    loop = asyncio.get_running_loop()
    return PendingAppend(
        commit=Commit(
            before,
            hashed,
            [
                changed(event, hash=each, sealed=sealed, protected=protected)
                for event, each in zip(events, links.hashes, strict=True)
            ],
            [work for key, work in work_after.items() if not work.started and work_before.get(key) != work],
        ),
        sections=sections,
        values=values,
        size_bytes=sum(map(len, sections.values())) + sum(map(len, values.values())),
        enqueued_at=loop.time(),
        answer=loop.create_future(),
    )


def _origin(before: RunState, after: RunState) -> dict[str, bytes]:
    """The run that a new one was made from, which must not have been erased meanwhile."""
    if before.exists or after.origin is None or "runId" not in after.origin:
        return {}
    return {"origins": orjson.dumps({"run_id": after.origin["runId"]})}


async def _link(
    previous: str | None, events: Sequence[Event], texts: list[bytes], splitter: Splitter | None
) -> Links:
    """Large texts on a thread: those with odd numbers or keys take 0.2 s for a megabyte."""
    if sum(map(len, texts)) > _LARGE_BYTES:
        return await asyncio.to_thread(_split_and_link, previous, events, texts, splitter)
    return _split_and_link(previous, events, texts, splitter)


def _split_and_link(
    previous: str | None, events: Sequence[Event], texts: list[bytes], splitter: Splitter | None
) -> Links:
    return link(previous, texts, list(map(splitter.event, events, texts)) if splitter is not None else texts)
