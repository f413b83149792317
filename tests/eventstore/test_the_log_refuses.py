"""Promise 2, enforced by the database itself: the log only grows, without gap, and ends with `complete`."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from eventstore.errors import LOG_RULES, LogRefused
from eventstore.store import EventStore
from runs import commands as c
from runs.decide import step
from runs.event import Event
from runs.state import new_run
from tests.eventstore.conftest import StartRun
from tests.support.given import ENVELOPE, NOON
from tests.support.started_runs import new_run_id

INSERT = """
insert into flex_events (run_id, seq, type, payload, recorded_at, hash)
select %s, seq, type, '{}', now(), sha256('') from unnest(%s::int[], %s::text[]) as e (seq, type)
"""


async def attempt(database: AsyncConnection[Any], run_id: str, *events: tuple[int, str]) -> str | None:
    """Insert events by hand; the rule that refuses them, None where they are taken."""
    try:
        await database.execute(INSERT, (run_id, [seq for seq, _ in events], [kind for _, kind in events]))
    except psycopg.errors.UniqueViolation:
        return "unique"
    except psycopg.Error as error:
        return LOG_RULES[error.sqlstate or ""]
    return None


async def test_events_are_taken_in_order_from_start_to_complete(database: AsyncConnection[Any]):
    run_id = new_run_id()
    assert await attempt(database, run_id, (1, "start")) is None
    assert await attempt(database, run_id, (2, "log"), (3, "log")) is None
    assert await attempt(database, run_id, (5, "complete"), (4, "log")) is None


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        ([(4, "log")], "nothing_after_complete"),
        ([(5, "log")], "nothing_after_complete"),
        ([(4, "complete")], "unique"),
        ([(4, "start")], "start_is_first"),
        ([(3, "log")], "unique"),
        ([(1, "start")], "unique"),
    ],
)
async def test_nothing_follows_complete(
    database: AsyncConnection[Any], events: list[tuple[int, str]], rule: str
):
    run_id = new_run_id()
    await attempt(database, run_id, (1, "start"), (2, "log"), (3, "complete"))
    assert await attempt(database, run_id, *events) == rule


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        ([(1, "log")], "start_is_first"),
        ([(2, "log")], "no_gap"),
        ([(2, "start")], "start_is_first"),
        ([(1, "start"), (3, "log")], "no_gap"),
        ([(1, "start"), (2, "start")], "start_is_first"),
        ([(1, "start"), (2, "complete"), (3, "log")], "nothing_after_complete"),
        ([(1, "start"), (2, "complete"), (3, "complete")], "unique"),
        ([(1, "complete")], "start_is_first"),
    ],
)
async def test_a_run_begins_with_start_and_has_no_gap(
    database: AsyncConnection[Any], events: list[tuple[int, str]], rule: str
):
    run_id = new_run_id()
    assert await attempt(database, run_id, *events) == rule
    cursor = await database.execute("select count(*) from flex_events")
    assert await cursor.fetchone() == (0,)


async def test_one_wrong_event_takes_its_whole_statement_with_it(database: AsyncConnection[Any]):
    good, bad = new_run_id(), new_run_id()
    with pytest.raises(psycopg.errors.DatabaseError):
        await database.execute(
            "insert into flex_events (run_id, seq, type, payload, recorded_at)"
            " values (%s, 1, 'start', '{}', now()), (%s, 2, 'log', '{}', now())",
            (good, bad),
        )
    cursor = await database.execute("select count(*) from flex_events")
    assert await cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "update flex_events set message = 'changed'",
        "update flex_events set seq = seq",
        "update flex_events set message = 'changed' where false",
        "delete from flex_events",
        "truncate flex_events",
        """insert into flex_events (run_id, seq, type, payload, recorded_at)
           select run_id, seq, type, payload, recorded_at from flex_events
           on conflict (run_id, seq) do update set message = 'changed'""",
        """merge into flex_events e using flex_events n on e.run_id = n.run_id and e.seq = n.seq
           when matched then delete""",
    ],
)
async def test_what_is_in_the_log_is_never_changed(
    database: AsyncConnection[Any], start_run: StartRun, statement: str
):
    await start_run()
    with pytest.raises(psycopg.Error, match="the log only grows") as refused:
        await database.execute(statement.encode())
    assert refused.value.sqlstate == "FR004"
    cursor = await database.execute("select count(*), count(message) from flex_events")
    assert await cursor.fetchone() == (1, 0)


async def test_two_transactions_cannot_complete_a_run_twice(
    database: AsyncConnection[Any], database_url: str, start_run: StartRun
):
    run = await start_run()
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute(INSERT, (run.run_id, [2], ["complete"]))
        assert await attempt(database, run.run_id, (3, "log")) == "no_gap"
        await other.commit()
    assert await attempt(database, run.run_id, (2, "complete")) == "unique"
    assert await attempt(database, run.run_id, (3, "complete")) == "unique"


async def test_an_event_without_a_hash_does_not_follow_one_that_has_one(
    database: AsyncConnection[Any], start_run: StartRun
):
    run = await start_run()
    with pytest.raises(psycopg.Error, match="update this process") as refused:
        await database.execute(
            "insert into flex_events (run_id, seq, type, payload, recorded_at) values (%s, 2, 'log', '{}', now())",
            (run.run_id,),
        )
    assert LOG_RULES[refused.value.sqlstate or ""] == "hash_after_hash"


async def test_the_store_names_the_rule_that_an_append_breaks(store: EventStore):
    run_id = new_run_id()
    _, after = step(new_run(run_id), [c.StartRun(now=NOON, envelope=ENVELOPE, schema_hash="h")])
    with pytest.raises(LogRefused) as refused:
        await store.append(new_run(run_id), after, [Event(run_id, 2, "log", {}, NOON)])
    assert refused.value.rule == "no_gap"
