"""Read models are written with the events and say what the log says (promise 7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from eventstore import leases
from eventstore.batch import Lease
from eventstore.errors import LogUnfoldable
from eventstore.handler import RunHandler
from eventstore.rebuild import compare, rebuild
from eventstore.store import EventStore
from runs import commands as c
from runs.bundle import node_context
from runs.fork import ForkChange, fork_commands
from tests.eventstore.conftest import StartRun
from tests.support import cli
from tests.support.given import ANN, node
from tests.support.started_runs import WRONG, Walk, new_run_id


async def rows(database: AsyncConnection[Any], statement: str) -> list[dict[str, Any]]:
    cursor = database.cursor(row_factory=dict_row)
    await cursor.execute(statement.encode())
    return await cursor.fetchall()


async def test_a_runs_row_follows_it(start_run: StartRun, store: EventStore, database: AsyncConnection[Any]):
    run = await start_run(
        objective="write",
        metadata={"clientId": "acme", "runLabel": "spring"},
        constraints={"deadlineSeconds": 60},
    )
    await run.to_the_end()
    (row,) = await rows(database, "select * from flex_runs")
    log = await store.read(run.run_id)
    expected = {
        "status": "completed",
        "head_seq": 6,
        "objective": "write",
        "thread_id": run.run_id,
        "schema_hash": "h",
        "output": {"text": "hello"},
        "error": None,
        "plan_version": 1,
        "client_id": "acme",
        "run_label": "spring",
        "submitted_by": "sue",
        "created_at": log[0].recorded_at,
        "updated_at": log[-1].recorded_at,
        "completed_at": log[-1].recorded_at,
        "deadline_at": log[0].recorded_at + timedelta(seconds=60),
    }
    assert {column: row[column] for column in expected} == expected


async def test_a_runs_row_has_what_its_attempts_used_and_a_rebuild_finds_the_same(
    start_run: StartRun, database: AsyncConnection[Any], database_url: str
):
    run = await start_run()
    await run.planned(node("a"), node("b", "a"))
    assert (await rows(database, "select usage from flex_runs")) == [{"usage": None}]
    await run.start("a")
    failed: dict[str, Any] = {"error_code": "x", "message": "x", "lost": True}
    await run.do(c.FailNode, node_id="a", attempt=1, usage={"costMicros": 3, "currency": "EUR"}, **failed)
    assert await compare(database_url) == []
    await run.start("a", attempt=2)
    used = {"costMicros": 4, "currency": "USD", "seconds": 0.1}
    await run.do(c.CompleteNode, node_id="a", attempt=2, output=1, duration_ms=1, usage=used)
    (row,) = await rows(database, "select usage from flex_runs")
    assert row["usage"] == {
        "attempts": 2,
        "inputTokens": 0,
        "outputTokens": 0,
        "seconds": 0.1,
        "costMicros": {"EUR": 3, "USD": 4},
    }
    await run.start("b")
    assert await compare(database_url) == []
    await database.execute("update flex_runs set usage = null")
    assert len(await compare(database_url)) == 1
    await rebuild(database_url)
    assert await compare(database_url) == []


async def test_a_nodes_row_keeps_the_context_of_its_last_attempt(
    start_run: StartRun, store: EventStore, database: AsyncConnection[Any]
):
    run = await start_run()
    await run.planned(node("a"), node("b", "a"))
    await run.start("a")
    await run.do(c.CompleteNode, node_id="a", attempt=1, output=1, duration_ms=1, errors=WRONG, jitter=0)
    await run.do(c.PauseRun, actor=ANN)
    first, second = await rows(database, "select * from flex_plan_nodes order by ordinal")
    assert (first["status"], first["attempt"], first["failures"]) == ("waiting_retry", 1, 1)
    assert first["validation_errors"] == list(WRONG)
    assert "previousErrors" not in first["context"]
    assert (second["node_id"], second["status"], second["context"]) == ("b", "pending", None)
    await run.do(c.ResumeRun, actor=ANN)
    state = (await run.do(c.RecordLog, message="later")).state
    due_at = state.nodes["a"].due_at
    assert first["due_at"] == due_at
    again = c.StartNode(now=due_at or state.updated_at or first["due_at"], node_id="a", attempt=2)
    state = (await run.handler.execute(run.run_id, again)).state
    (first, _) = await rows(database, "select * from flex_plan_nodes order by ordinal")
    assert first["context"] == node_context(state, state.nodes["a"])
    assert first["context"]["previousErrors"] == list(WRONG)


async def test_a_commit_leaves_exactly_the_work_that_is_outstanding(
    start_run: StartRun, database: AsyncConnection[Any]
):
    run = await start_run()
    await run.planned(node("a"), node("b"), node("c", "a", "b"))
    work = "select kind, ref, queue, attempt, started from flex_work order by ref"
    assert await rows(database, work) == [
        {"kind": "node", "ref": "a", "queue": "node.default", "attempt": 1, "started": False},
        {"kind": "node", "ref": "b", "queue": "node.default", "attempt": 1, "started": False},
    ]
    await run.start("a")
    await run.work("b")
    assert await rows(database, work) == [
        {"kind": "node", "ref": "a", "queue": "node.default", "attempt": 1, "started": True}
    ]
    await run.do(c.AbortRun, actor=ANN)
    assert await rows(database, work) == []


async def test_requests_are_open_resolved_or_cancelled(start_run: StartRun, database: AsyncConnection[Any]):
    approving = {"requiresHitlApproval": True, "hitl": {"quorum": 2}}
    resolved, cancelled = [await start_run(policies=approving) for _ in range(2)]
    for run in (resolved, cancelled):
        await run.planned()
        await run.work()
        await run.deliver()
    requests = "select * from hitl_requests order by created_at"
    first, second = await rows(database, requests)
    assert (first["status"], second["status"]) == ("open", "open")
    assert first["payload"]["pendingOutput"] == {"text": "hello"}
    await resolved.respond(first["id"])
    assert [vote["operator"] for vote in (await rows(database, requests))[0]["votes"]] == ["ann"]
    await resolved.handler.execute(
        resolved.run_id,
        c.ResolveRequest(
            now=first["created_at"], request_id=first["id"], response_type="approval", actor=c.Actor("bob")
        ),
    )
    await cancelled.do(c.AbortRun, actor=ANN)
    first, second = await rows(database, requests)
    assert (first["status"], first["decision"], first["operator"]) == ("resolved", "approved", "bob")
    assert (second["status"], second["decision"]) == ("cancelled", None)


@pytest.mark.parametrize("seed", range(6))
async def test_rebuilt_after_any_walk_the_rows_are_the_same(
    handler: RunHandler, store: EventStore, database: AsyncConnection[Any], database_url: str, seed: int
):
    walks = [Walk(handler, seed * 100 + n) for n in range(12)]
    await asyncio.gather(*(walk.start() for walk in walks))
    for _ in range(40):
        await asyncio.gather(*(walk.step() for walk in walks))
    await fork_some(handler, store, [walk.run_id for walk in walks])
    assert await compare(database_url) == []
    kept = await everything(database)
    assert await rebuild(database_url) == len(kept["flex_runs"])
    assert await everything(database) == kept
    statuses = {row["status"] for row in kept["flex_runs"]}
    assert len(statuses) >= 3, f"the walks led nowhere: {statuses}"


async def fork_some(handler: RunHandler, store: EventStore, run_ids: list[str]) -> None:
    for run_id in run_ids[:4]:
        state = await store.load(run_id, fresh=True)
        assert state.updated_at is not None
        commands = fork_commands(state, ForkChange(operator="ann"), state.updated_at)
        await handler.execute(new_run_id(), *commands)


async def everything(database: AsyncConnection[Any]) -> dict[str, list[dict[str, Any]]]:
    """All rows; of leases only those that hold."""
    found = {
        "flex_runs": await rows(database, "select * from flex_runs order by run_id"),
        "flex_plan_nodes": await rows(database, "select * from flex_plan_nodes order by run_id, node_id"),
        "hitl_requests": await rows(database, "select * from hitl_requests order by id"),
        "flex_work": await rows(database, "select * from flex_work order by run_id, kind, ref"),
    }
    assert all(found.values()), "a table without rows proves nothing"
    return found


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        (
            "update flex_runs set status = 'running'",
            "flex_runs {run_id}: status is 'running' instead of 'completed'",
        ),
        ("update flex_plan_nodes set attempt = 7", "flex_plan_nodes {run_id} a: attempt is 7 instead of 1"),
        ("delete from flex_plan_nodes", "flex_plan_nodes {run_id} a: the row is missing"),
        ("delete from flex_runs", "flex_runs {run_id}: the row is missing"),
        (
            """insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at)
               select run_id, 'plan', '', 'plan', 1, false, now() from flex_runs""",
            "flex_work {run_id} plan: the log knows no such row",
        ),
        (
            """insert into flex_work (run_id, kind, ref, queue, attempt, started, due_at)
               values ('01900000-0000-7000-8000-000000000009', 'plan', '', 'plan', 1, false, now())""",
            "flex_work 01900000-0000-7000-8000-000000000009 plan: the log knows no such row",
        ),
    ],
)
async def test_tampering_is_found_and_mended(
    start_run: StartRun, database: AsyncConnection[Any], database_url: str, tampering: str, words: str
):
    run = await start_run()
    await run.to_the_end()
    assert await compare(database_url) == []
    await database.execute(tampering.encode())
    assert [str(difference) for difference in await compare(database_url)] == [
        words.format(run_id=run.run_id)
    ]
    await rebuild(database_url)
    assert await compare(database_url) == []


async def break_log(database: AsyncConnection[Any], run_id: str, event_type: str) -> None:
    """Add a second event that says nothing of what such an event must say; the log's triggers let it pass."""
    await database.execute(
        "insert into flex_events (run_id, seq, type, payload, recorded_at, hash)"
        " values (%s, 2, %s, '{}', now(), sha256(''))",
        (run_id, event_type),
    )


async def test_a_log_that_cannot_be_folded_is_a_difference_and_the_other_runs_are_compared_all_the_same(
    start_run: StartRun, database: AsyncConnection[Any], database_url: str
):
    early, bare, whole, tampered = sorted([(await start_run()).run_id for _ in range(4)])
    await break_log(database, early, "node_start")
    await break_log(database, bare, "plan_requested")
    await database.execute("update flex_runs set objective = 'x' where run_id = %s", (tampered,))
    found = sorted([(each.table, each.run_id) for each in await compare(database_url)])
    assert found == [("flex_events", early), ("flex_events", bare), ("flex_runs", tampered)]
    said = await cli.run("db", "verify", "--database", database_url)
    assert said.status == 1
    refused = [
        line.partition(": the log cannot be folded: ") for line in said.out.splitlines() if "folded" in line
    ]
    assert [(place, reason) for place, _, reason in refused] == [
        (f"flex_events {early}", "IllegalTransition: a run that is pending cannot take node_start"),
        (f"flex_events {bare}", "KeyError: 'attempt'"),
    ]
    assert whole not in said.out


async def test_a_rebuild_refuses_a_log_that_cannot_be_folded_and_keeps_every_row(
    start_run: StartRun, database: AsyncConnection[Any], database_url: str
):
    good, broken = await start_run(), await start_run()
    await break_log(database, broken.run_id, "node_start")
    before = await rows(database, "select * from flex_runs order by run_id")
    with pytest.raises(LogUnfoldable, match=broken.run_id):
        await rebuild(database_url)
    assert await rows(database, "select * from flex_runs order by run_id") == before
    said = await cli.run("db", "rebuild", "--database", database_url)
    assert (said.status, said.out) == (3, "")
    assert f"the log of run {broken.run_id} cannot be folded: IllegalTransition" in said.err
    assert good.run_id not in said.err


async def test_a_rebuild_keeps_the_leases_that_hold_and_frees_the_rest(
    start_run: StartRun, store: EventStore, database: AsyncConnection[Any], database_url: str
):
    run = await start_run()
    await run.planned(node("a"), node("b"))
    for name in ("a", "b"):
        start = c.StartNode(now=datetime.now(UTC), node_id=name, attempt=1)
        await run.handler.execute(run.run_id, start, lease=Lease(f"worker of {name}", 60))
    await leases.record_failure(store, run.run_id, "node", "b")
    await database.execute("delete from flex_work where ref = 'a'")
    before = await rows(database, "select * from flex_work where ref = 'b'")
    await rebuild(database_url)
    assert await rows(database, "select * from flex_work where ref = 'b'") == before
    assert [(row.ref, row.worker) for row in await leases.expired(store)] == [("a", "")]


async def test_a_rebuild_under_load_loses_nothing(
    start_run: StartRun, store: EventStore, database: AsyncConnection[Any], database_url: str
):
    runs = [await start_run() for _ in range(5)]
    done = asyncio.Event()

    async def keep_busy(position: int) -> None:
        while not done.is_set():
            await runs[position].log("busy")

    busy = [asyncio.create_task(keep_busy(position)) for position in range(5)]
    for _ in range(3):
        await rebuild(database_url)
        assert await compare(database_url) == []
    done.set()
    await asyncio.gather(*busy)
    assert await compare(database_url) == []
