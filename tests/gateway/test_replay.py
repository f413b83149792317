"""A run as it was after any of its events, and whether its log and its rows are what was written."""

from typing import Any

import psycopg
import pytest

from tests.support.by_hand import ByHand
from tests.support.documents import must_be
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import waiting_for_approval


async def state(gateway: RunningGateway, run_id: str, query: str = "") -> dict[str, Any]:
    answer, found = await gateway.get(f"{API}/runs/{run_id}/state{query}")
    assert answer.status == 200, found
    must_be("StateAt", found)
    return found


async def test_each_event_has_its_state_forwards_and_backwards(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b", "a"))
    await run.work("a", {"n": 1})
    await run.work("b")
    await run.deliver()
    statuses = ["pending", "planning", "running", "running", "running", "running", "running", "completed"]
    for seqs in (range(1, 9), range(8, 0, -1)):
        found = [await state(gateway, run.run_id, f"?atSeq={seq}") for seq in seqs]
        assert [each["status"] for each in sorted(found, key=lambda each: each["seq"])] == statuses
    fifth = await state(gateway, run.run_id, "?atSeq=5")
    assert (fifth["event"]["type"], fifth["event"]["nodeId"], fifth["lastSeq"]) == ("node_complete", "a", 8)
    assert [(each["id"], each["status"]) for each in fifth["nodes"]] == [("a", "completed"), ("b", "ready")]
    assert fifth["nodes"][0]["output"] == {"n": 1}
    assert await state(gateway, run.run_id) == await state(gateway, run.run_id, "?atSeq=8")
    at = fifth["event"]["timestamp"]
    assert (await state(gateway, run.run_id, f"?atTime={at}"))["seq"] == 5


async def test_the_state_has_requests_open_and_decided(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    (request,) = (await state(gateway, waiting.run_id))["requests"]
    assert "decision" not in request
    asked = (await state(gateway, waiting.run_id))["seq"]
    await waiting.respond("approval", approved=True)
    (decided,) = (await state(gateway, waiting.run_id))["requests"]
    assert decided["decision"] == "approved"
    (before,) = (await state(gateway, waiting.run_id, f"?atSeq={asked}"))["requests"]
    assert before == request


@pytest.mark.parametrize(
    "query", ["?atSeq=0", "?atSeq=99", "?atTime=2001-01-01T00:00:00Z", "?atTime=x", "?atSeq=1&atTime=x"]
)
async def test_a_state_that_is_not_there_is_400(gateway: RunningGateway, query: str) -> None:
    run_id = await gateway.start_run()
    answer, problem = await gateway.get(f"{API}/runs/{run_id}/state{query}")
    assert (answer.status, problem["code"]) == (400, "query_invalid")


async def verification(gateway: RunningGateway, run_id: str) -> dict[str, Any]:
    answer, found = await gateway.get(f"{API}/runs/{run_id}/verification")
    assert answer.status == 200, found
    must_be("RunVerification", found)
    return found


async def test_a_run_holds_until_something_of_it_is_changed(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.to_the_end()
    found = await verification(gateway, run.run_id)
    assert (found["holds"], found["events"], found["hashed"], found["findings"]) == (True, 6, 6, [])
    other = await gateway.start_run()
    async with await psycopg.AsyncConnection.connect(gateway.database_url) as connection:
        await connection.execute("set session_replication_role = replica")
        await connection.execute(
            "update flex_events set payload = payload || '{\"output\": 1}' where run_id = %s and seq = 5",
            (run.run_id,),
        )
        await connection.execute("update flex_runs set status = 'paused' where run_id = %s", (other,))
    changed = await verification(gateway, run.run_id)
    assert not changed["holds"]
    assert (changed["findings"][0]["kind"], changed["findings"][0]["seq"]) == ("chain", 5)
    (row,) = (await verification(gateway, other))["findings"]
    assert (row["kind"], row["table"]) == ("rows", "flex_runs")
    assert "status is 'paused' instead of 'pending'" in row["message"]
