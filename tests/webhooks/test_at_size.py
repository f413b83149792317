"""With a long log, the history of many webhooks and a dead receiver, one poll reads a few pages."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
import pytest

from eventstore.connection import Connection, connect
from eventstore.statements import statement
from eventstore.store import EventStore
from tests.webhooks.conftest import AddHook

FILL = [
    """insert into flex_events (run_id, seq, type, payload, recorded_at)
       select gen_random_uuid(), 1, 'start', '{}', now() - n * interval '1 second' from generate_series(1, 20000) n""",
    # A dead receiver: all its deliveries wait for a retry.
    """insert into flex_webhook_deliveries (hook_id, run_id, seq, type)
       select h.id, e.run_id, s, 'log' from flex_webhooks h, flex_events e, generate_series(1, 2) s
       where h.url like '%/dead'""",
    """insert into flex_webhook_lanes (hook_id, run_id, done_seq, last_seq, attempts, due_at)
       select d.hook_id, d.run_id, 0, 2, 3, now() + interval '1 hour' from flex_webhook_deliveries d where d.seq = 1""",
    # A good one: nearly all its deliveries are done.
    """insert into flex_webhook_deliveries (hook_id, run_id, seq, type, status, finished_at)
       select h.id, e.run_id, 1, 'start', 'delivered', now() from flex_webhooks h, flex_events e
       where h.url like '%/good'""",
    """update flex_webhook_deliveries d set status = 'given_up'
       where (d.hook_id, d.run_id, d.seq) in (
         select hook_id, run_id, seq from flex_webhook_deliveries where status = 'delivered' limit 5)""",
    """update flex_webhooks h set fed_xid = m.xid, fed_position = m.position
       from (select xid, position from flex_events order by xid desc, position desc limit 1) m""",
]
SLOTS = {"slots": 8, "busy_hooks": [], "busy_slots": []}
FROM_NEWEST = {"run_before": "ffffffff-ffff-ffff-ffff-ffffffffffff", "seq_before": 2**31 - 1, "limit": 50}


@pytest.fixture
async def crowded(database_url: str, store: EventStore, add_hook: AddHook) -> Mapping[str, str]:
    """A database with a history; the ids of its webhooks by name."""
    hooks = {name: await add_hook(name, "start", "log") for name in ("dead", "good")}
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as database:
        for fill in FILL:
            await database.execute(fill.encode())
    return hooks


async def test_no_statement_looks_at_all_of_it(database_url: str, crowded: Mapping[str, str]) -> None:
    good = {"hook_id": crowded["good"]} | FROM_NEWEST
    run_id = "01900000-0000-7000-8000-000000000009"
    one = {"hook_id": crowded["dead"], "run_id": run_id, "seq": 1, "worker": "w", "attempt": 1}
    one |= {
        "delivered": True,
        "response_status": 204,
        "error": None,
        "retry_seconds": 5.0,
        "give_up_seconds": 60.0,
    }
    statements: dict[str, tuple[Mapping[str, object], int]] = {
        "webhooks/feed": ({"limit": 1000}, 60),
        "webhooks/claim_lanes": ({"worker": "w", "lease_seconds": 45.0} | SLOTS, 40),
        "webhooks/next_delivery": (SLOTS, 40),
        "webhooks/claimed_deliveries": (
            {"hook_ids": [crowded["dead"]], "run_ids": [run_id], "worker": "w"},
            20,
        ),
        "webhooks/record_attempt": (one, 20),
        "webhooks/list_deliveries": (good | {"status": None}, 400),
        "webhooks/list_undelivered": (good | {"status": "given_up"}, 60),
        "webhooks/abandon_deliveries": ({"limit": 1000}, 40),
        "webhooks/drop_idle_lanes": ({"limit": 1000}, 40),
        "webhooks/drop_finished_deliveries": ({"keep_seconds": 3600.0, "limit": 1000}, 40),
        "webhooks/drop_removed_deliveries": ({"limit": 1000}, 40),
        "webhooks/drop_removed": ({}, 40),
    }
    connection = await connect(database_url, "test")
    touched = {
        name: await _pages(connection, name, parameters) for name, (parameters, _) in statements.items()
    }
    await connection.close()
    assert {name: pages for name, pages in touched.items() if pages > statements[name][1]} == {}


async def _pages(connection: Connection, name: str, parameters: Mapping[str, object]) -> int:
    cursor = psycopg.AsyncClientCursor(connection)
    await cursor.execute(b"explain (analyze, buffers, format json) " + statement(name), parameters)
    row = await cursor.fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
