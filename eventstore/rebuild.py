"""Rebuilds the read models from the log, or compares them with what a rebuild would make."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, closing

from eventstore.differences import Difference, differences
from eventstore.read_runs import open_for_reading
from eventstore.replayed_runs import replayed
from eventstore.statements import statement
from eventstore.whole_runs import (
    ALL_RUNS,
    ONE_MOMENT,
    Log,
    RunRange,
    connect_for_maintenance,
    parameters_of,
)
from runs.event import Event

_LAPSED_LEASE = {"worker": "", "lease_seconds": 0.0}
"""Started work without a stored lease can be taken over at once."""


async def rebuild(database_url: str) -> int:
    """Empty the read models and fill them from the log; the number of runs. Leases that still hold are kept.

    One transaction: readers see the old rows or the new ones; appends wait until it is over.
    Raises LogUnfoldable, psycopg.Error; everything is as it was then.
    """
    connection = await connect_for_maintenance(database_url)
    runs = 0
    try:
        async with connection.transaction():
            await connection.execute(statement("rebuild/begin"), prepare=False)
            async with aclosing(replayed(connection, ALL_RUNS)) as chunks:
                async for chunk in chunks:
                    for row in chunk.sections["work"]:
                        row.update(_LAPSED_LEASE if row["started"] else {})
                    if chunk.values:  # most are there: events have them, too
                        await connection.execute(statement("values/put"), chunk.value_parameters)
                    await connection.execute(
                        statement("rebuild/rows"), parameters_of(chunk.run_ids, chunk.sections)
                    )
                    runs += len(chunk.run_ids)
            await connection.execute(statement("rebuild/leases"))
    finally:
        await connection.close()
    return runs


async def compare(database_url: str) -> list[Difference]:
    """Where the read models differ from what the log says, as of one moment. Changes nothing. Raises psycopg.Error."""
    return await asyncio.to_thread(_compare, database_url)


def _compare(database_url: str) -> list[Difference]:
    with closing(open_for_reading(database_url)) as connection, connection.transaction():
        connection.execute(ONE_MOMENT)
        return differences(connection, ALL_RUNS)


def compare_run(database_url: str, run_id: str) -> tuple[int | None, list[Event], list[Difference]]:
    """The last seq that the row of a run has, its log, and where its rows differ from that, as of one moment.

    Changes nothing; it waits in its thread. Raises psycopg.Error.
    """
    log: list[Event] = []

    def look(_: str, commits: Log) -> None:
        log.extend(event for commit in commits for event in commit)

    with closing(open_for_reading(database_url)) as connection, connection.transaction():
        connection.execute(ONE_MOMENT)
        head = connection.execute(statement("log/heads"), {"run_ids": [run_id]}).fetchone()
        found = differences(connection, RunRange.of(run_id), look)
    return (head[1] if head is not None else None), log, found
