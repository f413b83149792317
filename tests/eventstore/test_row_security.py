"""The second wall between tenants: the role that serves sees rows of the tenant alone that its connection is for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from psycopg import sql

from eventstore.handler import RunHandler
from eventstore.store import EventStore
from eventstore.tenancy import working_for
from runs.commands import StartRun
from runs.event import Event
from tests.support.by_hand import ByHand
from tests.support.database_roles import RoleUrls, database_roles
from tests.support.given import ENVELOPE
from tests.support.started_runs import new_run_id

DENIED = "42501"
ACME, BOLT, OPERATOR = "acme", "bolt", "default"
TENANTS = (ACME, BOLT, OPERATOR)
HOOK = "insert into flex_webhooks (id, url, event_types, secret, tenant) values ('{id}', 'x', '{{x}}', 'x', '{tenant}')"
# One row for each tenant: {run} is a run of the tenant, {id} another id. None: the run has rows of its own.
ROWS: dict[str, str | None] = {
    "flex_runs": None,
    "flex_events": None,
    "flex_plan_nodes": None,
    "flex_work": None,
    "flex_values": "insert into flex_values values ('{run}', sha256('x'), 'x')",
    "flex_run_keys": "insert into flex_run_keys (run_id, key) values ('{run}', sha256('x'))",
    "flex_imported_runs": "insert into flex_imported_runs values ('{run}', now(), 'x', 'x', 'x', now(), 1)",
    "hitl_requests": """
        insert into hitl_requests (id, run_id, kind, subject, status, payload, rules, votes, created_at)
        values ('{id}', '{run}', 'x', 'x', 'open', '{{}}', '{{}}', '[]', now())""",
    "flex_links": """
        insert into flex_links (link_id, run_id, request_id, known, with_tokens, made_by, expires_at)
        values ('{id}', '{run}', 'x', false, false, 'x', now())""",
    "flex_partial_outputs": "insert into flex_partial_outputs values ('{run}', 'x', 1, '', '[]')",
    "flex_capability_starts": "insert into flex_capability_starts values ('x', '{run}', 'x', 1)",
    "flex_pruned_runs": """
        insert into flex_pruned_runs (run_id, status, events, created_at, completed_at, tenant)
        values ('{id}', 'failed', 1, now(), now(), '{tenant}')""",
    "flex_operations": """
        insert into flex_operations (operation_id, at, actor, action, object_kind, outcome, tenant)
        values ('{id}', now(), 'x', 'x', 'x', 'begun', '{tenant}')""",
    "flex_tokens": """
        insert into flex_tokens (token_id, name, prefix, digest, scopes, roles, created_by, tenant)
        values ('{id}', 'x', 'x', sha256('{tenant}'), '{{admin}}', '{{}}', 'x', '{tenant}')""",
    "flex_webhooks": HOOK,
    "flex_webhook_deliveries": """
        insert into flex_webhook_deliveries (hook_id, run_id, seq, type)
        select id, '{run}', 1, 'x' from flex_webhooks where tenant = '{tenant}'""",
    "flex_webhook_lanes": """
        insert into flex_webhook_lanes (hook_id, run_id, done_seq, last_seq, due_at)
        select id, '{run}', 0, 1, now() from flex_webhooks where tenant = '{tenant}'""",
    "flex_capabilities": """
        insert into flex_capabilities (capability_id, descriptor, worker, tenant)
        values ('{tenant}.x', '{{}}', 'x', '{tenant}')""",
    "flex_capability_workers": "insert into flex_capability_workers values ('x', '{tenant}.x', '1.0.0', 1)",
    "flex_facets": "insert into flex_facets values ('{tenant}.x', '1', 'x', '{{}}', false, 'api', now(), '{tenant}')",
    "flex_messages": "insert into flex_messages (queue, body) values ('x', '{tenant}')",
    "flex_dead_letters": "insert into flex_dead_letters (queue, body, reason) values ('x', '{tenant}', 'x')",
    "flex_processes": "insert into flex_processes (worker, role, queues) values ('{tenant}', 'gateway', '{{}}')",
    "flex_secrets": "insert into flex_secrets values ('{tenant}', 'x')",
    "flex_limits": "insert into flex_limits (tenant, name, most, set_by) values ('{tenant}', 'x', 1, 'x')",
    "flex_rates": "insert into flex_rates values ('{tenant}', 'x', 'x', now())",
    "flex_start_claims": """
        insert into flex_start_claims (run_id, tenant, submitter) values ('{run}', '{tenant}', 'x')""",
    "flex_migrations": "select",
}
SHARED = {"flex_capabilities", "flex_capability_workers", "flex_facets"}
"""What a tenant sees of these is its own and the operator's."""

INSTALLATION = {"flex_messages", "flex_dead_letters", "flex_processes", "flex_secrets", "flex_migrations"}


@pytest.fixture
async def urls(database_url: str, tmp_path: Path) -> AsyncIterator[RoleUrls]:
    (tmp_path / "password").write_text("s3cret-of-the-app\n")
    async with database_roles(database_url, "--app-password-file", str(tmp_path / "password")) as urls:
        yield urls


@pytest.fixture
async def runs(urls: RoleUrls, store: EventStore) -> dict[str, str]:
    """A run of each tenant, and a row of it in every table."""
    made: dict[str, str] = {}
    async with await psycopg.AsyncConnection.connect(urls.owner, autocommit=True) as owner:
        for tenant in TENANTS:
            run = ByHand(RunHandler(store), new_run_id())
            await run.do(StartRun, envelope=ENVELOPE, schema_hash="h", tenant=tenant)
            await run.planned()
            made[tenant] = run.run_id
            for insert in filter(None, ROWS.values()):
                await owner.execute(insert.format(run=run.run_id, id=new_run_id(), tenant=tenant).encode())
    return made


async def tables(url: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await connection.execute(
            "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        )
        return {name for (name,) in await found.fetchall()}


async def rows(url: str, tenant: str | None, table: str) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        if tenant is not None:
            await connection.execute("select set_config('flexrun.tenant', %s, false)", [tenant])
        found = await connection.execute(
            sql.SQL("select to_jsonb(t) from {} t").format(sql.Identifier(table))
        )
        return [row for (row,) in await found.fetchall()]


async def test_there_is_a_row_of_each_tenant_in_every_table(urls: RoleUrls, runs: dict[str, str]) -> None:
    assert await tables(urls.owner) == set(ROWS)
    for table in ROWS:
        assert len(await rows(urls.owner, None, table)) >= len(TENANTS), table
        assert len(await rows(urls.app, "*", table)) >= len(TENANTS), table


async def test_a_tenant_sees_no_row_of_another_in_any_table(urls: RoleUrls, runs: dict[str, str]) -> None:
    for table in await tables(urls.owner):
        every = await rows(urls.app, "*", table)
        for tenant, run_id in runs.items():
            seen = await rows(urls.app, tenant, table)
            others = [each for each in runs.values() if each != run_id]
            assert not [row for row in seen if row.get("run_id") in others], table
            if table in INSTALLATION:
                assert seen == [], table
                continue
            foreign = {ACME, BOLT} - {tenant} if table in SHARED else set(TENANTS) - {tenant}
            named = {row.get("tenant") or str(row.get("capability_id", "")).partition(".")[0] for row in seen}
            assert not named & foreign, table
            assert 0 < len(seen) < len(every), table


async def test_a_connection_that_names_no_tenant_sees_nothing(urls: RoleUrls, runs: dict[str, str]) -> None:
    for table in await tables(urls.owner):
        for tenant in (None, "", "nobody"):
            seen = await rows(urls.app, tenant, table)
            assert seen == [] or (tenant == "nobody" and table in SHARED), table


async def test_a_tenant_changes_and_writes_nothing_of_another(urls: RoleUrls, runs: dict[str, str]) -> None:
    async with await psycopg.AsyncConnection.connect(urls.app, autocommit=True) as connection:
        await connection.execute("select set_config('flexrun.tenant', %s, false)", [BOLT])
        for change in (
            "update flex_runs set objective = '' where run_id = %(run)s",
            "delete from flex_plan_nodes where run_id = %(run)s",
            "update flex_work set worker = 'x' where run_id = %(run)s",
            "update hitl_requests set status = 'resolved' where run_id = %(run)s",
            "update flex_capabilities set disabled = true where capability_id in ('acme.x', 'default.x')",
            "delete from flex_facets where name in ('acme.x', 'default.x')",
            "update flex_webhooks set url = 'y' where tenant <> 'bolt'",
            "update flex_tokens set revoked_at = now(), revoked_by = 'x' where tenant <> 'bolt'",
        ):
            changed = await connection.execute(change.encode(), {"run": runs[ACME]})
            assert changed.rowcount == 0, change
        for table in (
            "flex_links",
            "hitl_requests",
            "flex_tokens",
            "flex_webhooks",
            "flex_facets",
            "flex_operations",
        ):
            insert = (ROWS[table] or "").replace(".x'", ".y'").replace("sha256('", "sha256('y")
            with pytest.raises(psycopg.Error) as refused:
                await connection.execute(insert.format(run=runs[ACME], id=new_run_id(), tenant=ACME).encode())
            assert refused.value.sqlstate == DENIED, table


async def test_a_reader_that_forgets_to_ask_whose_a_run_is_finds_nothing(
    urls: RoleUrls, runs: dict[str, str]
) -> None:
    store = await EventStore.open(urls.app)
    unasked = {"run_id": runs[ACME], "after": 0, "until": 9, "limit": 9, "run_ids": [runs[ACME]]}
    for name in (
        "log/read",
        "runs/get",
        "runs/nodes",
        "log/heads",
        "work/of_run",
        "sizes/run",
        "erasure/run",
    ):
        found = len((await store.query(name, unasked | {"tenant": "*"})).rows)
        with working_for(BOLT):
            assert found > len(
                [row for row in (await store.query(name, unasked | {"tenant": "*"})).rows if any(row)]
            )
    assert [each.seq for each in await store.select(Event, "log/read", unasked)] == [1, 2, 3]
    await store.close()


async def test_a_tenant_s_connection_appends_nothing_to_a_run_of_another(
    urls: RoleUrls, runs: dict[str, str]
) -> None:
    advance = {
        "run_id": runs[ACME],
        "expected": 3,
        "head_seq": 4,
        "status": "failed",
        "updated_at": datetime.now(UTC),
    }
    batch = orjson.dumps({"advances": [advance]}).decode()
    async with await psycopg.AsyncConnection.connect(urls.app, autocommit=True) as connection:
        await connection.execute("select set_config('flexrun.tenant', %s, false)", [BOLT])
        refused = await connection.execute("select * from flex_append(%s::jsonb)", [batch])
        assert len(await refused.fetchall()) == 1
    async with await psycopg.AsyncConnection.connect(urls.owner, autocommit=True) as owner:
        kept = await owner.execute("select head_seq from flex_runs where run_id = %s", [runs[ACME]])
        assert await kept.fetchone() == (3,)
