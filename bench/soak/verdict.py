"""Whether the promises were kept, as the log and its read models say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.soak.ledger import Ledger, Read, Told, read_of
from eventstore.rebuild import compare
from eventstore.store import EventStore
from gateway.streams.sse import encode_frame

Row = tuple[Any, ...]

_RUNS_AT_ONCE = 50

_RUNS = "select run_id::text from flex_events where seq = 1 order by run_id"

_NOT_ENDED_ONCE = """
select run_id::text, count(*), max(seq), count(*) filter (where type = 'complete'),
       (array_agg(type order by seq desc))[1]
from flex_events
group by run_id
having count(*) filter (where type = 'complete') <> 1 or count(*) <> max(seq)
    or (array_agg(type order by seq desc))[1] <> 'complete'
"""

# An output that breaks its contract is two events of one result: validation_error, then node_error.
_TWO_RESULTS = """
select run_id::text, node_id, payload ->> 'attempt', array_agg(type order by seq)
from flex_events
where type in ('node_complete', 'node_error')
group by run_id, node_id, payload ->> 'attempt'
having count(*) > 1
"""

# A person who sends the output back is the one reason to complete a node again: no order needs a repair.
_COMPLETED_TWICE = """
select run_id::text, node_id, count(*)
from flex_events e
where type = 'node_complete' and not exists (
    select from flex_events r
    where r.run_id = e.run_id and r.type = 'hitl_resolved' and r.detail ->> 'effect' = 'rerun'
)
group by run_id, node_id
having count(*) > 1
"""

_RESOLVED_TWICE = """
select run_id::text, payload ->> 'requestId', count(*)
from flex_events
where type = 'hitl_resolved'
group by run_id, payload ->> 'requestId'
having count(*) > 1
"""

_LEFT_OVER = "select run_id::text, kind, ref, started, worker from flex_work"

_LOSSES = """
select case when type = 'node_error' then 'nodes taken over' else 'plans taken over' end, count(*)
from flex_events
where (type = 'node_error' and payload #>> '{error,code}' in ('worker_lost', 'worker_stopped'))
   or (type = 'plan_rejected' and payload::text like '%planner_lost%')
group by 1
"""

_EVENTS = "select type, node_id, payload, detail from flex_events where run_id = %s order by seq"

_CHECKS = (
    (_NOT_ENDED_ONCE, "run {} has {} events up to {}, {} complete, and ends with {}"),
    (_TWO_RESULTS, "run {}, node {}: attempt {} has the results {}"),
    (_COMPLETED_TWICE, "run {}, node {}: completed {} times"),
    (_RESOLVED_TWICE, "run {}, request {}: decided {} times"),
    (_LEFT_OVER, "run {} has work left: {} {} (started: {}, worker: {})"),
)


@dataclass(frozen=True, slots=True)
class SoakVerdict:
    """`breaches`: each a sentence; none when all is well."""

    runs: int
    events: int
    losses: dict[str, int]
    breaches: list[str]


async def judge(database_url: str, ledger: Ledger) -> SoakVerdict:
    """Look at everything. Call it when nothing moves any more. Raises psycopg.Error, StoreUnavailable."""
    breaches: list[str] = []
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        known = {row[0] for row in await _rows(connection, _RUNS)}
        for query, sentence in _CHECKS:
            breaches += [sentence.format(*row) for row in await _rows(connection, query)]
        losses = dict(await _rows(connection, _LOSSES))
        events = (await _rows(connection, "select count(*) from flex_events"))[0][0]
    breaches += [f"run {run_id} was accepted and is not in the log" for run_id in ledger.accepted - known]
    breaches += [f"run {run_id}: its webhook was not notified of the end" for run_id in ledger.unnotified()]
    breaches += await _told_otherwise(database_url, ledger)
    breaches += await _read_otherwise(database_url, ledger)
    breaches += await _read_models(database_url)
    return SoakVerdict(len(known), events, losses, breaches)


async def _read_models(database_url: str) -> list[str]:
    return [f"read model: {difference}" for difference in await compare(database_url)]


async def _rows(connection: psycopg.AsyncConnection[Row], query: str) -> list[Row]:
    cursor = await connection.execute(query.encode())
    return await cursor.fetchall()


async def _told_otherwise(database_url: str, ledger: Ledger) -> list[str]:
    """Callers who got 200 for something that is not in the log."""
    by_run: dict[str, list[Told]] = {}
    for told in ledger.told:
        by_run.setdefault(told.run_id, []).append(told)
    breaches: list[str] = []
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for run_id, all_told in by_run.items():
            cursor = await connection.execute(_EVENTS, [run_id])
            events = await cursor.fetchall()
            breaches += [
                f"run {run_id}: a caller was answered 200 for {told.what}, and the log does not have it"
                for told in all_told
                if not any(told.is_said_by(*event) for event in events)
            ]
    return breaches


async def _read_otherwise(database_url: str, ledger: Ledger) -> list[str]:
    """Runs whose reader got something else than what is in the log."""
    breaches: list[str] = []
    async with aclosing(_logged(database_url, list(ledger.read))) as runs:
        async for run_id, logged in runs:
            if logged != ledger.read[run_id]:
                was = ledger.read[run_id]
                breaches.append(
                    f"run {run_id}: {was.frames} frames were read, which are not the {logged.frames} in the log"
                )
    return breaches


async def _logged(database_url: str, run_ids: list[str]) -> AsyncGenerator[tuple[str, Read]]:
    store = await EventStore.open(database_url, writers=1, readers=1)
    try:
        for first in range(0, len(run_ids), _RUNS_AT_ONCE):
            some = run_ids[first : first + _RUNS_AT_ONCE]
            found = await store.read_many(dict.fromkeys(some, 0), limit_each=10_000)
            for run_id in some:
                frames = [encode_frame(event).data.removesuffix(b"\n\n") for event in found.get(run_id, [])]
                yield run_id, read_of(frames)
    finally:
        await store.close()
