"""A log of another server is numbered anew: the order of each run, its commits and the places of webhooks stay."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from eventstore import adopt as adopting
from eventstore.adopt import Adopted, adopt, require_own_log
from eventstore.errors import DatabaseUnsuitable
from eventstore.handler import RunHandler
from eventstore.rebuild import compare
from eventstore.store import EventStore
from eventstore.whole_log import LOG_BEGIN, read_log
from tests.support.started_runs import started_run

ANOTHER_SERVER = """
set session_replication_role = replica;
update flex_events set xid = (xid::text::bigint + {further})::text::xid8;
update flex_webhooks set fed_xid = (fed_xid::text::bigint + {further})::text::xid8,
  created_in = pg_snapshot('5:5:');
set session_replication_role = origin;
"""
HOOK = """
insert into flex_webhooks (id, url, event_types, secret, fed_xid, fed_position)
values (%s, 'https://receiver.example', '{complete}', '\\x00', %s::text::xid8, %s)
"""

Places = list[tuple[str, int]]


async def rows(database: AsyncConnection[Any], query: str) -> list[tuple[Any, ...]]:
    return await (await database.execute(query.encode())).fetchall()


async def filled(store: EventStore, database: AsyncConnection[Any]) -> None:
    """Runs that grow in turns, and webhooks at every tenth event, before it, at it, and where no event is."""
    runs = [await started_run(RunHandler(store)) for _ in range(4)]
    for number in range(15):
        for run in runs[: 1 + number % 4]:
            await run.log(f"number {number}")
    places = await rows(database, "select xid::text, position from flex_events order by xid, position")
    for xid, position in places[::10]:
        for behind in (0, position):
            await database.execute(HOOK, [uuid4(), xid, behind])
    await database.execute(HOOK, [uuid4(), str(int(places[-1][0]) + 3), 0])


async def ahead_of_each_webhook(database: AsyncConnection[Any]) -> dict[str, Places]:
    found = await rows(
        database,
        "select h.id::text, e.run_id::text, e.seq from flex_webhooks h left join flex_events e"
        " on (e.xid, e.position) > (h.fed_xid, h.fed_position) order by 1, 2, 3",
    )
    return {hook: [(run, seq) for _, run, seq in each] for hook, each in groupby(found, lambda row: row[0])}


async def commits(database: AsyncConnection[Any]) -> dict[str, list[int]]:
    """How many events each commit of each run has, in order."""
    found = await rows(database, "select run_id::text, xid::text from flex_events order by run_id, seq")
    return {
        run: [len(list(same)) for _, same in groupby(each)]
        for run, each in groupby(found, lambda row: row[0])
    }


async def test_what_is_ahead_of_each_webhook_and_each_commit_stay(
    store: EventStore, database_url: str, database: AsyncConnection[Any]
) -> None:
    await filled(store, database)
    await require_own_log(store)
    assert await adopt(database_url) == Adopted(0, 0)
    ahead, together = await ahead_of_each_webhook(database), await commits(database)
    await database.execute(ANOTHER_SERVER.format(further=1 << 40).encode())
    with pytest.raises(DatabaseUnsuitable, match="flexrun db adopt"):
        await require_own_log(store)
    assert await read_log(store, LOG_BEGIN) == ([], LOG_BEGIN), "nothing of it can be read on"

    adopted = await adopt(database_url)

    assert adopted == Adopted(sum(map(sum, together.values())), len(ahead))
    await require_own_log(store)
    assert await ahead_of_each_webhook(database) == ahead
    assert await commits(database) == together
    assert await compare(database_url) == []
    read, cursor = await read_log(store, LOG_BEGIN, limit=1_000)
    assert len(read) == adopted.events
    later = await started_run(RunHandler(store))
    ((first, *_), _) = await read_log(store, cursor)
    assert first.event.run_id == later.run_id, "new events come behind all that were there"
    with pytest.raises(psycopg.Error, match="only grows"):
        await database.execute("update flex_events set seq = seq")


async def test_a_server_is_made_to_count_as_far_as_the_longest_run_needs(
    store: EventStore, database_url: str, database: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(store, database)
    await database.execute(ANOTHER_SERVER.format(further=1 << 40).encode())
    ((at,),) = await rows(database, "select pg_current_xact_id()::text::bigint")
    # As if the runs were so long that their numbers ended above what this server has counted to.
    as_it_is = adopting.statement
    far = as_it_is("adopt/number").replace(b"3 + sum(", b"%d + sum(" % (at + 40))
    monkeypatch.setattr(adopting, "statement", lambda name: far if name == "adopt/number" else as_it_is(name))
    assert (await adopt(database_url)).events
    await require_own_log(store)
    assert await compare(database_url) == []


async def test_it_waits_for_a_transaction_that_is_open_elsewhere_in_the_server(
    store: EventStore, database_url: str, other_database_url: str, database: AsyncConnection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await filled(store, database)
    await database.execute(ANOTHER_SERVER.format(further=1 << 40).encode())
    async with await AsyncConnection.connect(other_database_url) as other:
        ((at,),) = await rows(other, "select pg_current_xact_id()::text::bigint")
        as_it_is = adopting.statement
        far = as_it_is("adopt/number").replace(b"3 + sum(", b"%d + sum(" % (at + 1))
        monkeypatch.setattr(
            adopting, "statement", lambda name: far if name == "adopt/number" else as_it_is(name)
        )
        waiting = asyncio.create_task(adopt(database_url))
        await asyncio.wait({waiting}, timeout=0.5)
        assert not waiting.done()
        await other.rollback()
        assert (await waiting).events
    await require_own_log(store)


async def test_only_the_owner_may(
    store: EventStore, database_url: str, database: AsyncConnection[Any]
) -> None:
    await filled(store, database)
    await database.execute(ANOTHER_SERVER.format(further=1 << 40).encode())
    role = f"case_{uuid4().hex[:12]}"
    await database.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
    try:
        grant = sql.SQL("grant select, insert, update, delete on all tables in schema public to {}")
        await database.execute(grant.format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await adopt(f"postgresql://{role}@{database_url.rpartition('@')[2]}")
    finally:
        await database.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(role)))
