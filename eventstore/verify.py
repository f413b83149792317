"""Verifies the log and the read models of a whole database, some runs at a time, while runs go on.

Each range of runs is looked at in one short transaction, as of one moment: a run that changes meanwhile is seen as it
was before or after. Ranges are independent of each other: several processes share the work, and it can begin anywhere.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context

from eventstore.chain import ChainBreak, ChainCheck
from eventstore.checkpoint import Lost
from eventstore.connection import BlockingConnection, Connection
from eventstore.differences import Difference, differences
from eventstore.keyring import Keyring, keyring, use_keyring
from eventstore.read_runs import open_for_reading
from eventstore.statements import statement
from eventstore.values import LostValue
from eventstore.whole_runs import (
    FIRST_RUN,
    LAST_RUN,
    ONE_MOMENT,
    Log,
    RunRange,
    connect_for_maintenance,
)

EVENTS_AT_ONCE = 4_000
"""A range has about so many events: it takes some tenths of a second."""

RUNS_AT_ONCE = 1_000
BREAKS_OF_A_RUN = 10
"""Of a run that was written anew each event may be wrong; so many are named."""

_EVENTS_FOR_ONE_PROCESS = 20_000
_MOST_PROCESSES = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written. `seq` is None where a row of a read model is wrong, not an event."""

    run_id: str
    seq: int | None
    cause: str
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True)
class Verified:
    """A range of runs that was looked at. `unhashed` counts the events that no hash covers."""

    runs: RunRange
    run_count: int = 0
    events: int = 0
    unhashed: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])


def of_lost(lost: Lost) -> Finding:
    """A head of a checkpoint that the log has no more."""
    if lost.there:
        cause, message = "changed", "its hash is not the one that the checkpoint has"
    else:
        cause, message = "cut", "the checkpoint has it, and the log has it no more"
    return Finding(lost.run_id, lost.seq, cause, f"run {lost.run_id} event {lost.seq}: {message}")


async def about_how_many_events(database_url: str) -> int:
    """The number of events as the database's statistics know it. Raises psycopg.Error."""
    connection = await connect_for_maintenance(database_url)
    try:
        cursor = await connection.execute(statement("verify/size"))
        row = await cursor.fetchone()
        return row[0] if row is not None else 0
    finally:
        await connection.close()


async def how_many_erased(database_url: str) -> int:
    """The number of runs whose data was erased. Raises psycopg.Error."""
    connection = await connect_for_maintenance(database_url)
    try:
        cursor = await connection.execute(statement("erasure/count"))
        row = await cursor.fetchone()
        return row[0] if row is not None else 0
    finally:
        await connection.close()


async def verify(
    database_url: str, *, after: str = FIRST_RUN, processes: int = 1
) -> AsyncGenerator[Verified]:
    """Look at all runs above `after`, range by range in the order of their ids. Raises psycopg.Error."""
    connection = await connect_for_maintenance(database_url)
    try:
        async with (
            aclosing(_ranges(connection, after)) as ranges,
            aclosing(_side_by_side(database_url, ranges, processes)) as verified,
        ):
            async for each in verified:
                yield each
    finally:
        await connection.close()


def processes_for(events: int) -> int:
    """How many processes are worth their start."""
    return min(os.cpu_count() or 1, _MOST_PROCESSES) if events > _EVENTS_FOR_ONE_PROCESS else 1


def verify_range(connection: BlockingConnection, runs: RunRange) -> Verified:
    """Look at some runs as of one moment: the chain of each, and its rows. Raises psycopg.Error."""
    verified = Verified(runs)
    seen: set[str] = set()
    with connection.transaction():
        connection.execute(ONE_MOMENT)
        heads: dict[str, int] = dict(
            connection.execute(statement("verify/heads"), {**runs.parameters, "limit": None}).fetchall()
        )

        def look(run_id: str, commits: Log) -> None:
            seen.add(run_id)
            _look(verified, heads.get(run_id), commits)

        lost: list[LostValue] = []
        rows = differences(connection, runs, look, lost)
    verified.run_count = len(seen | heads.keys())
    verified.findings += [Finding(each.run_id, each.seq, "value", str(each)) for each in lost]
    verified.findings += map(_of_row, rows)
    return verified


def _look(verified: Verified, head: int | None, commits: Log) -> None:
    check = ChainCheck()
    breaks: list[ChainBreak] = []
    for commit in commits:
        for event in commit:
            verified.events += 1
            verified.unhashed += event.hash is None
            if (found := check.add(event)) is not None:
                breaks.append(found)
    if (cut := check.end(head)) is not None:
        breaks = [*breaks[: BREAKS_OF_A_RUN - 1], cut]
    verified.findings += [
        Finding(each.run_id, each.seq, each.cause, str(each)) for each in breaks[:BREAKS_OF_A_RUN]
    ]


def _of_row(difference: Difference) -> Finding:
    if difference.table == "flex_runs" and difference.rebuilt is None:
        message = (
            f"run {difference.run_id} event 1: it is in flex_runs, and the log knows no such row: all is gone"
        )
        return Finding(difference.run_id, 1, "missing", message)
    cause = "unfoldable" if difference.unfoldable is not None else "row"
    return Finding(difference.run_id, None, cause, str(difference))


async def _heads(connection: Connection, runs: RunRange, limit: int) -> list[tuple[str, int]]:
    cursor = await connection.execute(statement("verify/heads"), {**runs.parameters, "limit": limit})
    return [(run_id, head) for run_id, head in await cursor.fetchall()]


async def _ranges(connection: Connection, after: str) -> AsyncGenerator[RunRange]:
    """Ranges of about EVENTS_AT_ONCE events; the last one has no end, for runs that begin meanwhile or have no row."""
    while True:
        heads = await _heads(connection, RunRange(after), RUNS_AT_ONCE)
        events = 0
        for run_id, head in heads:
            events += head
            if events >= EVENTS_AT_ONCE:
                yield RunRange(after, run_id)
                after, events = run_id, 0
        if len(heads) < RUNS_AT_ONCE:
            yield RunRange(after, LAST_RUN)
            return
        if events:
            yield RunRange(after, heads[-1][0])
            after = heads[-1][0]


async def _side_by_side(
    database_url: str, ranges: AsyncGenerator[RunRange], processes: int
) -> AsyncGenerator[Verified]:
    """The ranges in their order, looked at by several processes, or by a thread of this one."""
    under_way: deque[Future[Verified]] = deque()
    reader = _Reader(database_url)
    pool = _processes(processes) if processes > 1 else ThreadPoolExecutor(1)
    look = partial(_verify_in_child, database_url) if processes > 1 else reader.verify
    try:
        async for runs in ranges:
            under_way.append(pool.submit(look, runs))
            if len(under_way) >= 2 * processes:
                yield await asyncio.wrap_future(under_way.popleft())
        while under_way:
            yield await asyncio.wrap_future(under_way.popleft())
    finally:
        pool.shutdown(cancel_futures=True)
        reader.close()


class _Reader:
    """Looks at ranges over one connection, which the first of them opens."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self._connection: BlockingConnection | None = None

    def verify(self, runs: RunRange) -> Verified:
        if self._connection is None:
            self._connection = open_for_reading(self.database_url)
        return verify_range(self._connection, runs)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _processes(processes: int) -> ProcessPoolExecutor:
    """Children of a process that has imported what they need once."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    return ProcessPoolExecutor(processes, context, _begin_child, (keyring(),))


def _begin_child(known: Keyring) -> None:
    """Ctrl-C goes to all processes of a terminal: the first of them ends the others.

    Garbage is collected between ranges only: while documents are read, looking for it takes a third of the time.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_keyring(known)
    gc.disable()
    gc.freeze()


@cache
def _reader_of(database_url: str) -> _Reader:
    """That of a process of the pool, for as long as it lives."""
    return _Reader(database_url)


def _verify_in_child(database_url: str, runs: RunRange) -> Verified:
    verified = _reader_of(database_url).verify(runs)
    gc.collect()
    return verified
