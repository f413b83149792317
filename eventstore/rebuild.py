"""Rebuilds the read models from the log, or compares them with what a rebuild would make."""

from __future__ import annotations

from contextlib import aclosing

from eventstore.statements import statement
from eventstore.whole_runs import (
    ALL_RUNS,
    ONE_MOMENT,
    Difference,
    RunRange,
    connect_for_maintenance,
    differences,
    parameters_of,
    replayed,
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
                async for run_ids, sections in chunks:
                    for row in sections["work"]:
                        row.update(_LAPSED_LEASE if row["started"] else {})
                    await connection.execute(statement("rebuild/rows"), parameters_of(run_ids, sections))
                    runs += len(run_ids)
            await connection.execute(statement("rebuild/leases"))
    finally:
        await connection.close()
    return runs


async def compare(database_url: str) -> list[Difference]:
    """Where the read models differ from what the log says, as of one moment. Changes nothing. Raises psycopg.Error."""
    connection = await connect_for_maintenance(database_url)
    try:
        async with connection.transaction():
            await connection.execute(ONE_MOMENT)
            return await differences(connection, ALL_RUNS)
    finally:
        await connection.close()


async def compare_run(database_url: str, run_id: str) -> tuple[int | None, list[Event], list[Difference]]:
    """The last seq that the row of a run has, its log, and where its rows differ from that, as of one moment.

    Changes nothing. Raises psycopg.Error.
    """
    connection = await connect_for_maintenance(database_url)
    log: list[Event] = []
    try:
        async with connection.transaction():
            await connection.execute(ONE_MOMENT)
            heads = await connection.execute(statement("log/heads"), {"run_ids": [run_id]})
            head = await heads.fetchone()
            found = await differences(
                connection,
                RunRange.of(run_id),
                lambda _, commits: log.extend(event for commit in commits for event in commit),
            )
    finally:
        await connection.close()
    return (head[1] if head is not None else None), log, found
