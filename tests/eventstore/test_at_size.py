"""With many runs in the tables, what happens all the time touches a few pages and never scans a table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from eventstore import leases
from eventstore.connection import connect
from eventstore.handler import RunHandler
from eventstore.queries.run_list import RunFilters, list_parameters
from eventstore.statements import statement
from eventstore.store import EventStore
from eventstore.work_list import WORK_STATES
from tests.eventstore.conftest import OpenStore
from tests.support.database_roles import database_roles
from tests.support.started_runs import started_run
from tests.support.waiting import eventually

FILL = [
    # Half of the runs wait for a planner, the other half for a person.
    """insert into flex_events (run_id, seq, type, payload, recorded_at)
       select gen_random_uuid(), 1, 'start', '{}', now() - n * interval '1 second' from generate_series(1, 20000) n""",
    """insert into flex_runs (run_id, status, head_seq, objective, thread_id, envelope, client_id, run_label,
                              submitted_by, error, created_at, updated_at)
       select run_id, case when position % 2 = 0 then 'pending' else 'awaiting_hitl' end, 1, 'o',
              'thread ' || position % 500, '{}', 'client ' || position % 500, 'label ' || position % 500,
              'person ' || position % 500, jsonb_build_object('code', 'code ' || position % 500), recorded_at,
              recorded_at
       from flex_events""",
    """insert into flex_plan_nodes (run_id, node_id, ordinal, capability_id, kind, label, queue, executor_type,
                                    depends_on, status, attempt, failures, losses, run_created_at)
       select run_id, 'a', 0, replace(client_id, 'client', 'capability'), 'execution', 'A', 'default', 'ai', '[]',
              'pending', 0, 0, 0, created_at
       from flex_runs""",
    """insert into hitl_requests (id, run_id, thread_id, kind, subject, status, payload, rules, votes, created_at)
       select run_id, run_id, thread_id, 'approval', 'output', 'open', '{}', '{}', '[]', created_at
       from flex_runs where status = 'awaiting_hitl'""",
    """insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at, hinted_at)
       select run_id, 'plan', '', 'plan', 1, false, created_at, now() from flex_runs where status = 'pending'""",
    """insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at)
       select run_id, 'request_expiry', id, 'timer', 1, false, now() + interval '1 day' from hitl_requests""",
    # Ten thousand nodes wait for a callback.
    """insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at, worker, lease_until)
       select run_id, 'node', 'a', 'node.default', 1, true, created_at, 'callback/c', now() + interval '1 day'
       from flex_runs where status = 'awaiting_hitl'""",
    "update flex_runs set imported_at = now() where thread_id = 'thread 8'",
    # Of each person, action, object and run one operation in a thousand.
    """insert into flex_operations (
         operation_id, at, actor, action, object_kind, object_id, run_id, outcome, finished_at)
       select (lpad(to_hex(n), 12, '0') || repeat('0', 20))::uuid, now() - interval '2 days', 'person ' || n % 1000,
              'action ' || n % 1000, 'webhook', 'object ' || n % 1000,
              (repeat('0', 20) || lpad(to_hex(n % 1000), 12, '0'))::uuid, 'done', now()
       from generate_series(1, 20000) n""",
]
READ = {"run_id": "01900000-0000-7000-8000-000000000009", "after": 0, "until": 2**31 - 1, "limit": 100}
LISTS = {
    "created": RunFilters(),
    "status": RunFilters(statuses=["pending"]),
    "statuses": RunFilters(statuses=["pending", "failed"]),
    "thread": RunFilters(thread_id="thread 7"),
    "client": RunFilters(client_id="client 7"),
    "label": RunFilters(run_label="label 7"),
    "submitter": RunFilters(submitted_by="person 7"),
    "error": RunFilters(error_code="code 7"),
    "capability": RunFilters(capability_id="capability 7"),
    "imported": RunFilters(imported=True),
}
INDEXES = {
    "created": "flex_runs_tenant",
    "status": "flex_runs_tenant_status",
    "statuses": "flex_runs_tenant_status",
    "thread": "flex_runs_thread",
    "client": "flex_runs_client",
    "label": "flex_runs_label",
    "submitter": "flex_runs_submitter",
    "error": "flex_runs_error",
    "capability": "flex_plan_nodes_runs",
    "imported": "flex_runs_imported",
}
TENANT = {"tenant": "default"}
PENDING = TENANT | {"run_id": READ["run_id"], "thread_id": "thread 7", "client_id": None, "names": ["ann"]}
PENDING |= {"created_after": None, "request_after": "", "limit": 10}
OPERATIONS: dict[str, object] = {
    "tenant": "default",
    "first": "00000000-0000-0000-0000-000000000000",
    "before": "ffffffff-ffff-ffff-ffff-ffffffffffff",
}
OPERATIONS |= {"outcome": None, "limit": 10}
WORK: dict[str, object] = {
    "run_id": None,
    "queue": None,
    "kind": None,
    "worker": None,
    "states": list(WORK_STATES),
    "limit": 10,
}
WORK |= {"after_due": None, "after_run": None, "after_kind": "", "after_ref": ""}
WORK |= {"timer_queue": "timer", "silent_seconds": 15}
NO_FILTER = dict.fromkeys(("actor", "action", "run_id", "object_kind", "object_id"))
STATEMENTS: dict[str, tuple[Mapping[str, object], int]] = {
    "log/read": (READ, 10),
    "log/read_many": ({"run_ids": [READ["run_id"]] * 20, "after": [0] * 20, "limit_each": 500}, 100),
    "log/heads": ({"run_ids": [READ["run_id"]] * 20}, 100),
    "work/claim": (
        {
            "queues": ["plan", "node.default"],
            "worker": "w",
            "lease_seconds": 30,
            "limit": 1,
            "has_suspect": False,
            "tenants": ["acme"],
            "served": [2.0],
            "floor": 1.0,
            "tenants_limit": 2,
        },
        60,
    ),
    "work/tenants_waiting": ({"queues": ["plan", "node.default"]}, 40),
    # A hundred pages; the first calls of functions read what the catalog has of them.
    "limits/admit_start": (
        {
            "tenant": "default",
            "actor": "person 7",
            "submitter": "person 7",
            "run_id": READ["run_id"],
            "size_bytes": 100,
            "levels": ["tenant", "actor", "tenant"],
            "names": ["unfinishedRuns", "unfinishedRuns", "runsPerMinute"],
            "mosts": [50, 10_000, 600],
            "seconds": [None, None, 60],
            "claim_seconds": 45,
        },
        800,
    ),
    "work/extend_leases": ({"worker": "w", "lease_seconds": 30}, 20),
    "work/expired_leases": ({"limit": 100}, 20),
    "work/expired_claims": ({"limit": 100}, 20),
    "work/free_expired_claims": ({}, 20),
    "work/due_timers": ({"queue": "timer", "limit": 100}, 20),
    "work/next_due_at": ({}, 60),
    "work/record_failure": ({"run_id": READ["run_id"], "kind": "plan", "ref": ""}, 10),
    "runs/get": ({"run_id": READ["run_id"]}, 10),
    "runs/nodes": ({"run_id": READ["run_id"]}, 10),
    "people/get_request": (TENANT | {"request_id": READ["run_id"]}, 10),
    "people/pending_requests": (PENDING, 80),
    "people/pending_requests_of_run": (PENDING, 10),
    "people/pending_requests_of_thread": (PENDING, 80),
    "operations/list": (NO_FILTER | OPERATIONS, 20),
    "operations/list_by_actor": (NO_FILTER | OPERATIONS | {"actor": "person 7"}, 30),
    "operations/list_by_action": (NO_FILTER | OPERATIONS | {"action": "action 7"}, 30),
    "operations/list_by_run": (
        NO_FILTER | OPERATIONS | {"run_id": "00000000-0000-0000-0000-000000000007"},
        30,
    ),
    "operations/list_by_object": (
        NO_FILTER | OPERATIONS | {"object_kind": "webhook", "object_id": "object 7"},
        30,
    ),
    # Ten pages; the first call of a function reads what the catalog has of it.
    "tidying/drop_operations": ({"keep_seconds": 86400, "limit": 10}, 300),
    "log/read_whole": ({"xid": "99999999", "position": 0, "limit": 10}, 10),
}


@pytest.fixture
async def crowded(database: AsyncConnection[Any]) -> AsyncConnection[Any]:
    """A database with many runs; its tables were never analysed."""
    for fill in FILL:
        await database.execute(fill.encode())
    return database


def pages(plan: dict[str, Any]) -> int:
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def node_types(plan: dict[str, Any]) -> set[str]:
    """Of the nodes that were executed."""
    return {each["Node Type"] for each in nodes(plan) if each["Actual Loops"]}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@pytest.fixture(params=["owner", "the role that serves"])
async def serving_url(
    request: pytest.FixtureRequest, crowded: AsyncConnection[Any], database_url: str
) -> AsyncIterator[str]:
    """The crowded database, as its owner, and as the role whose rows policies choose."""
    if request.param == "owner":
        yield database_url
        return
    async with database_roles(database_url) as urls:
        yield urls.app


async def test_no_statement_scans_a_table_and_each_touches_few_pages(serving_url: str):
    connection = await connect(serving_url, "test")
    cursor = psycopg.AsyncClientCursor(connection)
    for name, (parameters, page_limit) in STATEMENTS.items():
        explain = b"explain (analyze, buffers, format json) " + statement(name)
        await cursor.execute(explain, parameters)
        row = await cursor.fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        assert "Seq Scan" not in node_types(plan), name
        assert pages(plan) <= page_limit, f"{name} touched {pages(plan)} pages"
    await connection.close()


@pytest.mark.parametrize("walk", LISTS)
async def test_each_list_walks_its_own_index(serving_url: str, walk: str):
    parameters = list_parameters(LISTS[walk], None, 50)
    assert parameters["walk"] == walk
    connection = await connect(serving_url, "test")
    # As a process asks: by a plan that is made once, for all filters.
    cursor = await connection.execute(
        b"explain (analyze, buffers, format json) " + statement("runs/list"), parameters, prepare=True
    )
    row = await cursor.fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert "Seq Scan" not in node_types(plan)
    used = {each["Index Name"] for each in nodes(plan) if each.get("Index Name") and each["Actual Loops"]}
    # Behind a policy a function of the owner's walks this index, and the plan does not show what is in a function.
    hidden = {"flex_runs_error"} if "app-" in serving_url else set[str]()
    assert used - {"flex_runs_pkey", "flex_plan_nodes_pkey"} == {INDEXES[walk]} - hidden
    assert pages(plan) <= 450
    await connection.close()


@pytest.mark.parametrize(
    ("asked", "page_limit"),
    [
        ({}, 500),
        ({"worker": "callback/c"}, 100),
        ({"states": ["later", "running"]}, 50),
        ({"states": ["timer"], "queue": "timer"}, 1000),
        ({"run_id": READ["run_id"]}, 20),
    ],
    ids=["all", "of a worker", "of states that nothing is in", "of a queue", "of a run"],
)
async def test_a_page_of_work_touches_few_pages_of_the_table(
    serving_url: str, asked: dict[str, object], page_limit: int
):
    connection = await connect(serving_url, "test")
    # As a process asks: by a plan that is made once, for all filters.
    cursor = await connection.execute(
        b"explain (analyze, buffers, format json) " + statement("work/list"), WORK | asked, prepare=True
    )
    row = await cursor.fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    scanned = {
        each["Relation Name"]
        for each in nodes(plan)
        if each["Node Type"] == "Seq Scan" and each["Actual Loops"]
    }
    assert scanned <= {"flex_processes"}
    assert pages(plan) <= page_limit
    await connection.close()


async def scans(database: AsyncConnection[Any]) -> dict[str, int]:
    cursor = await database.execute(
        "select relname, seq_scan from pg_stat_user_tables where relname like 'flex%' or relname like 'hitl%'"
    )
    return dict(await cursor.fetchall())


async def no_other_connection(database: AsyncConnection[Any]) -> bool:
    cursor = await database.execute(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    return await cursor.fetchone() == (0,)


async def test_a_connection_that_planned_on_empty_tables_does_not_scan_full_ones(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    store = await open_store()
    await live(store)  # its plans are made now, and kept
    await database.execute(FILL[0].encode())
    await database.execute(FILL[1].encode() + b" on conflict do nothing")
    await database.execute("select pg_stat_force_next_flush()")  # so that filling does not count later
    before = await scans(database)
    await live(store)
    await store.close()
    await eventually(lambda: no_other_connection(database))
    assert await scans(database) == before


async def live(store: EventStore) -> None:
    """What a process does all day."""
    runs = [await started_run(RunHandler(store)) for _ in range(8)]
    await leases.claim(store, ["plan"], "w", 30, 1)
    await asyncio.gather(*(run.to_the_end() for run in runs))
    await leases.extend(store, "w", 30)
    await leases.expired(store)
    await store.heads([run.run_id for run in runs])
