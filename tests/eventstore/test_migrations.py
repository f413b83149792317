"""Migrations: forward only, once, whichever process is first; and a schema that needs nothing but Postgres."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from eventstore.errors import MigrationRefused
from eventstore.handler import RunHandler
from eventstore.migrate import migrate, migrations, schema_version
from eventstore.rebuild import compare
from eventstore.store import EventStore
from runs.commands import RequestClarification
from tests.eventstore.appends import first_event
from tests.support.started_runs import new_run_id, started_run

(MOVED,) = (migration for migration in migrations() if migration.number == 11)


async def test_a_new_database_gets_everything_once(empty_database_url: str):
    names = [migration.name for migration in migrations()]
    assert await schema_version(empty_database_url) == 0
    assert await migrate(empty_database_url) == names
    assert await migrate(empty_database_url) == []
    assert await schema_version(empty_database_url) == migrations()[-1].number
    store = await EventStore.open(empty_database_url)
    await store.append(*first_event(new_run_id()))
    await store.close()


async def test_of_ten_that_migrate_at_once_one_does_it(empty_database_url: str):
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(10)))
    assert sorted(map(len, applied)) == [0] * 9 + [len(migrations())]


def test_migrations_are_numbered_from_one_without_gap():
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))


async def test_a_migration_that_was_edited_after_it_ran_is_refused(database_url: str):
    with psycopg.connect(database_url) as connection:
        connection.execute("update flex_migrations set checksum = 'other' where number = 2")
    with pytest.raises(MigrationRefused, match="0002_read_models"):
        await migrate(database_url)


async def test_a_database_of_a_newer_release_is_refused(database_url: str):
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into flex_migrations (number, name, checksum) values (9999, 'later', 'x')")
    with pytest.raises(MigrationRefused, match="9999"):
        await migrate(database_url)


async def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str):
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("create table flex_work (in_the_way text)")
    with pytest.raises(psycopg.errors.DuplicateTable):
        await migrate(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        row = connection.execute("select to_regclass('flex_runs') is null").fetchone()
        assert row == (True,), "the half of the migration before the failure is gone"
        connection.execute("drop table flex_work")
    assert len(await migrate(empty_database_url)) == len(migrations()) - 1


async def test_timers_of_requests_that_are_open_already_come_to_announce_their_end(database_url: str):
    store = await EventStore.open(database_url)
    run = await started_run(RunHandler(store), policies={"hitl": {"expiresInSeconds": 600}})
    await run.planned()
    await run.start()
    outcome = await run.do(RequestClarification, node_id="a", attempt=1, question="Which?")
    await store.close()
    (request,) = outcome.state.open_requests
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "update flex_work set due_at = %s where kind = 'request_expiry'", [request.expires_at]
        )
        assert await compare(database_url) != []
        connection.execute(MOVED.script.encode())
        row = connection.execute("select due_at from flex_work where kind = 'request_expiry'").fetchone()
    assert row == (request.announced_at,)
    assert await compare(database_url) == []


async def test_no_extension_is_needed(database_url: str):
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select extname from pg_extension").fetchall()
    assert rows == [("plpgsql",)]
