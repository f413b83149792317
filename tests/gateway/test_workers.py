"""`GET /workers`: who is there, what it holds, and who does not take what it serves."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from eventstore.processes import DEAF_SECONDS, SILENT_SECONDS, ProcessBeat, Telling
from tests.support.gateways import API, RunningGateway
from tests.support.remote import ByHand, remote_node
from tests.support.shapes import fits
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring


async def _workers(gateway: RunningGateway, query: str = "") -> dict[tuple[str, str], dict[str, Any]]:
    answer, body = await gateway.get(f"{API}/workers{query}")
    assert answer.status == 200, body
    return {(each["worker"], each["role"]): each for each in fits("WorkerList", body)["workers"]}


async def _ago(wiring: StoreWiring, column: str, seconds: float, worker: str) -> None:
    """As if that had been some time ago."""
    async with await wiring.connection() as connection:
        statement = sql.SQL(
            "update flex_processes set {} = now() - make_interval(secs => %s) where worker = %s"
        )
        await connection.execute(statement.format(sql.Identifier(column)), [seconds, worker])


async def test_a_process_tells_what_it_does_and_leaves_with_a_word(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    told = [Telling("planner", ["plan"], 4, 1, 2.0), Telling("executor", ["node.default", "node.x"], 8, 8)]
    beat = ProcessBeat(wiring.store, "host:1:abcd", "9.9", lambda: told)
    await beat.start()
    await eventually(lambda: _workers(gateway))
    found = await _workers(gateway)
    planner, executor = found["host:1:abcd", "planner"], found["host:1:abcd", "executor"]
    assert (planner["slots"], planner["busy"], planner["version"], planner["status"]) == (4, 1, "9.9", "ok")
    assert "lastTakenAt" in planner
    assert "lastTakenAt" not in executor
    assert abs(planner["clockAheadSeconds"]) < 5
    assert set(await _workers(gateway, "?queue=node.x")) == {("host:1:abcd", "executor")}
    await beat.close()
    assert await _workers(gateway) == {}


async def test_its_leases_count_as_in_flight_and_one_that_is_not_heard_of_is_silent(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    beat = ProcessBeat(
        wiring.store, "host:1:abcd", "9.9", lambda: [Telling("executor", ["node.default"], 8, 1)]
    )
    await beat.beat()
    run_id = await wiring.submit({**remote_node("a"), "capabilityId": "test.a", "queue": "default"})
    await wiring.take(run_id, "a", "host:1:abcd")
    (entry,) = (await _workers(gateway)).values()
    assert (entry["inFlight"], entry["status"]) == (1, "ok")
    await _ago(wiring, "heard_at", SILENT_SECONDS + 1, "host:1:abcd")
    (entry,) = (await _workers(gateway, "?status=silent")).values()
    assert (entry["inFlight"], entry["status"]) == (1, "silent")
    assert await _workers(gateway, "?status=ok") == {}


async def test_who_has_room_and_leaves_due_work_that_it_serves_is_deaf(
    worker: ByHand, wiring: StoreWiring
) -> None:
    gateway = worker.gateway
    assert await worker.claim(wait_seconds=0) == []
    await wiring.submit(remote_node("a"))
    async with await wiring.connection() as connection:
        await connection.execute(
            "update flex_work set due_at = now() - make_interval(secs => %s)", [DEAF_SECONDS + 5]
        )
    await _ago(wiring, "started_at", DEAF_SECONDS + 5, "remote/w1")
    entry = (await _workers(gateway))["remote/w1", "worker"]
    assert (entry["status"], entry["capabilities"]) == ("deaf", [{"id": "acme.sum", "version": "1.0.0"}])
    assert entry["waitingSeconds"] >= DEAF_SECONDS
    (task,) = await worker.claim()
    entry = (await _workers(gateway))["remote/w1", "worker"]
    assert (entry["status"], entry["inFlight"]) == ("ok", 1)

    async def taken() -> bool:
        return "lastTakenAt" in (await _workers(gateway))["remote/w1", "worker"]

    await eventually(taken)
    await worker.report(task, "complete", {"output": 1})


async def test_work_that_nobody_has_the_capability_for_makes_no_executor_deaf(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    beat = ProcessBeat(
        wiring.store, "host:1:abcd", "9.9", lambda: [Telling("executor", ["node.default"], 8, 0)]
    )
    await beat.beat()
    await wiring.submit({**remote_node("a"), "capabilityId": "nobody.does", "queue": "default"})
    async with await wiring.connection() as connection:
        await connection.execute("update flex_work set due_at = now() - interval '1 hour'")
    await _ago(wiring, "started_at", 100, "host:1:abcd")
    (entry,) = (await _workers(gateway)).values()
    assert entry["status"] == "ok"
    assert "waitingSeconds" not in entry


async def test_pages_and_wrong_queries(gateway: RunningGateway, wiring: StoreWiring) -> None:
    for name in ("a", "b", "c"):
        await ProcessBeat(wiring.store, name, "1", lambda: [Telling("gateway")]).beat()
    _, first = await gateway.get(f"{API}/workers?limit=2")
    assert [each["worker"] for each in first["workers"]] == ["a", "b"]
    _, second = await gateway.get(f"{API}/workers?limit=2&cursor={first['nextCursor']}")
    assert [each["worker"] for each in second["workers"]] == ["c"]
    assert "nextCursor" not in second
    for query in ("role=cook", "status=fine", "cursor=%20", "limit=0", "what=1"):
        answer, body = await gateway.get(f"{API}/workers?{query}")
        assert (answer.status, body["code"]) == (400, "query_invalid")
