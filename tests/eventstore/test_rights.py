"""The role of flexrun's processes serves runs from beginning to end, and may not touch what the log has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from eventstore.handler import RunHandler
from eventstore.migrate import migrate
from eventstore.rebuild import compare
from eventstore.retention import ended_before, prune
from eventstore.rights import Roles, roles_missing, set_up_roles
from eventstore.store import EventStore
from flexrun.client import API, GatewayClient
from flexrun.engine import Engine
from flexrun.settings import Settings
from tests.support import cli
from tests.support.database_roles import RoleUrls, database_roles
from tests.support.sites import decide, envelope, only_request, reached
from tests.support.started_runs import started_run

PASSWORD = "s3cret-of-the-app"
DENIED = "42501"
FORGET_LAST = "delete from flex_migrations where number = (select max(number) from flex_migrations)"
UNDO_LAST = """
drop function flex_erase, flex_refuse_erased_origins, flex_prune;
drop table flex_run_keys;
drop function flex_refuse_key_change;
alter table flex_runs drop column erased_at cascade
"""
"""What the last migration has made goes again."""


async def in_database(url: str, query: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("set flexrun.tenant = '*'")
        cursor = await connection.execute(query.encode())
        return await cursor.fetchall() if cursor.description else []


async def refusal(url: str, query: str) -> str | None:
    """The SQLSTATE with which this is refused."""
    with pytest.raises(psycopg.Error) as refused:
        await in_database(url, query)
    return refused.value.sqlstate


@pytest.fixture
async def urls(database_url: str, tmp_path: Path) -> AsyncIterator[RoleUrls]:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    async with database_roles(database_url, "--app-password-file", str(tmp_path / "password")) as urls:
        app, read = urls.roles
        assert json.loads(urls.said) == {"app": app, "read": read, "created": [app, read]}
        yield urls


async def test_an_engine_runs_as_the_role_and_its_runs_are_removed_after_their_time(urls: RoleUrls) -> None:
    settings = Settings(database_url=urls.app, port=0, broker_url="postgres", stop_notice_seconds=0)
    async with Engine(settings, frozenset({"gateway", "planner", "executor"})) as engine:
        assert engine.server is not None
        async with GatewayClient(engine.server.url) as client:
            body = envelope("linkedin-approval")
            run_id = (await client.call("POST", f"{API}/runs", body))["runId"]
            await reached(client, run_id, "awaiting_hitl")
            await decide(client, await only_request(client, run_id))
            await reached(client, run_id, "completed")
        removed = [bundle async for bundle in prune(engine.store, ended_before(engine.store, 0))]
    assert sum(bundle.runs for bundle in removed) == 1
    assert await in_database(urls.owner, "select count(*) from flex_events") == [(0,)]
    assert await in_database(urls.app, "select action from flex_operations where outcome = 'done'")
    assert await refusal(urls.app, "update flex_operations set actor = 'another'") == "FR004"
    assert await compare(urls.app) == []


@pytest.mark.parametrize(
    "attempt",
    [
        "alter table flex_events disable trigger all",
        "drop trigger flex_events_refuse_change on flex_events",
        "alter function flex_refuse_change() rename to harmless",
        "create or replace function flex_check_order() returns trigger language plpgsql as 'begin return new; end'",
        "set session_replication_role = replica",
        "update flex_events set message = 'another'",
        "delete from flex_events",
        "truncate flex_events",
        "drop table flex_events",
        "create table public.mine (a int)",
        "copy flex_events to program 'cat'",
        "copy flex_events to '/tmp/flexrun-log'",
        "copy flex_migrations from program 'id'",
        "delete from flex_operations",
        "delete from flex_pruned_runs",
        "insert into flex_pruned_runs select run_id, status, head_seq from flex_runs",
        "update flex_migrations set checksum = ''",
        "create role another superuser",
        "select pg_read_file('/etc/passwd')",
        "set role flexrun",
    ],
)
async def test_what_the_log_has_is_out_of_its_reach(urls: RoleUrls, store: EventStore, attempt: str) -> None:
    await (await started_run(RunHandler(store))).to_the_end()
    before = await in_database(urls.owner, "select run_id, seq, payload::text, hash from flex_events")
    assert await refusal(urls.app, attempt) == DENIED
    assert await refusal(urls.read, attempt) == DENIED
    assert await in_database(urls.owner, "select run_id, seq, payload::text, hash from flex_events") == before


async def test_the_reading_role_reads_runs_and_no_secrets(urls: RoleUrls) -> None:
    assert await in_database(urls.read, "select count(*) from flex_runs") == [(0,)]
    for table in ("flex_secrets", "flex_tokens", "flex_webhooks"):
        assert await refusal(urls.read, f"table {table}") == DENIED
    for function in ("flex_prune('{}', now(), null)", "flex_append('{}')", "flex_drop_operations(0, 9)"):
        assert await refusal(urls.read, f"select {function}") == DENIED


def operation_of(moment: str) -> str:
    """One at that moment, which is in its id."""
    return f"""
        insert into flex_operations (operation_id, at, actor, action, object_kind, outcome, finished_at)
        select (lpad(to_hex((extract(epoch from {moment}) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid,
               {moment}, 'sue', 'runs.abort', 'run', 'done', {moment}
    """  # noqa: S608 - the moments are this file's own


async def test_the_operations_of_the_last_day_stay_whatever_the_role_asks_for(urls: RoleUrls) -> None:
    for hours in (23, 25):
        await in_database(urls.app, operation_of(f"now() - interval '{hours} hours'"))
    assert await in_database(urls.app, "select flex_drop_operations(0, 100)") == [(1,)]
    assert await in_database(urls.read, "select count(*) from flex_operations") == [(1,)]


async def test_a_password_reaches_the_server_as_its_verifier(urls: RoleUrls) -> None:
    app, _ = urls.roles
    ((kept,),) = await in_database(
        urls.owner,
        f"select rolpassword from pg_authid where rolname = '{app}'",  # noqa: S608 - a name of this file's own
    )
    assert str(kept).startswith("SCRAM-SHA-256$")


async def test_rights_to_what_a_later_release_adds_come_with_its_migration(urls: RoleUrls) -> None:
    app, read = urls.roles
    await in_database(urls.owner, "create table flex_later (a int); revoke all on flex_runs from public")
    await in_database(urls.owner, "delete from flex_migrations where number = 27")
    await in_database(urls.owner, "drop function flex_drop_operations")
    assert await refusal(urls.app, "select * from flex_later") == DENIED
    assert len(await migrate(urls.owner)) == 1
    await in_database(urls.app, "insert into flex_later values (1)")
    assert await in_database(urls.read, "select a from flex_later") == [(1,)]
    assert await refusal(urls.read, "select flex_erase(null, null, null)") == DENIED
    assert await refusal(urls.read, "select * from flex_run_keys") == DENIED
    assert {app, read} <= {name for (name,) in await in_database(urls.owner, "select rolname from pg_roles")}


async def test_a_role_that_could_do_more_is_refused(urls: RoleUrls) -> None:
    app, read = urls.roles
    await in_database(urls.owner, f'alter role "{app}" superuser')
    again = ("db", "roles", "--database", urls.owner, "--app", app, "--read", read)
    done = await cli.run(*again)
    assert done.status == 3
    assert f"the role {app} could do more with the log than it is granted: it is a superuser" in done.err
    await in_database(urls.owner, f'alter role "{app}" nosuperuser')
    assert (await cli.run(*again)).status == 0
    done = await cli.run("db", "roles", "--database", urls.app, "--app", app, "--read", read)
    assert done.status == 3
    assert "it is the account that sets up the roles" in done.err


async def test_migrations_that_are_missing_are_the_owners_to_run(urls: RoleUrls) -> None:
    await in_database(urls.owner, FORGET_LAST)
    done = await cli.run("db", "migrate", "--database", urls.app)
    assert done.status == 3
    assert "the database role has no right to do this" in done.err


async def test_roles_of_several_databases_are_set_up_at_once(
    database_url: str, other_database_url: str
) -> None:
    """Roles belong to the server, so what is granted in one database meets what is granted in another."""
    roles = Roles(f"app_{uuid4().hex}", f"read_{uuid4().hex}")
    created = await asyncio.gather(
        *(set_up_roles(url, roles, {}) for url in (database_url, other_database_url) for _ in range(2))
    )
    assert sorted(name for names in created for name in names) == sorted((roles.app, roles.read))
    assert not await roles_missing(other_database_url, roles)
