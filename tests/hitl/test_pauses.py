"""A pause stops the clock of what waits for people: requests, tasks and the run's deadline, in every row and answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg

from eventstore.rebuild import compare
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import Waiting, waiting_for_approval


async def timers(gateway: RunningGateway) -> Sequence[tuple[Any, ...]]:
    query = "select kind, due_at from flex_work where queue = 'timer' order by kind"
    async with await psycopg.AsyncConnection.connect(gateway.store.database_url) as connection:
        return await (await connection.execute(query)).fetchall()


async def control(gateway: RunningGateway, run_id: str, verb: str) -> None:
    answer, body = await gateway.post(f"{API}/runs/{run_id}/{verb}", {})
    assert answer.status == 200, body


async def pause_seconds(gateway: RunningGateway, run_id: str) -> float:
    times = {event.type: event.recorded_at for event in await gateway.store.read(run_id)}
    return (times["run_resumed"] - times["run_paused"]).total_seconds()


async def shown(waiting: Waiting) -> dict[str, Any]:
    return (await waiting.gateway.get(f"/api/hitl/requests/{waiting.request_id}"))[1]


async def test_a_request_expires_later_by_the_pause(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, expiresInSeconds=600)
    before = datetime.fromisoformat((await shown(waiting))["expiresAt"])
    await control(gateway, waiting.run_id, "pause")
    assert await timers(gateway) == []
    await control(gateway, waiting.run_id, "resume")
    after = datetime.fromisoformat((await shown(waiting))["expiresAt"])
    moved = await pause_seconds(gateway, waiting.run_id)
    assert moved > 0
    assert (after - before).total_seconds() == moved
    assert await timers(gateway) == [("request_expiry", after - timedelta(seconds=120))]
    assert await compare(gateway.store.database_url) == []


async def test_a_decision_counts_during_a_pause(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, expiresInSeconds=600)
    await control(gateway, waiting.run_id, "pause")
    assert (await waiting.respond("approval", operator="ann"))[1]["status"] == "completed"


async def test_the_time_for_a_task_and_the_deadline_move_with_a_pause(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(constraints={"deadlineSeconds": 900}))
    await run.planned(node("a", agentType="human", contract={"timeoutSeconds": 600}))
    await run.start()
    listing, detail = f"{API}/tasks?runId={run.run_id}", f"{API}/runs/{run.run_id}"
    ends = (await gateway.get(listing))[1]["tasks"][0]["expiresAt"]
    deadline = (await gateway.get(detail))[1]["deadlineAt"]
    await control(gateway, run.run_id, "pause")
    assert await timers(gateway) == []
    assert (await gateway.get(listing))[1]["tasks"][0]["expiresAt"] is None
    await control(gateway, run.run_id, "resume")
    moved = await pause_seconds(gateway, run.run_id)
    later = {
        "deadline": ((await gateway.get(detail))[1]["deadlineAt"], deadline),
        "task_expiry": ((await gateway.get(listing))[1]["tasks"][0]["expiresAt"], ends),
    }
    for after, before in later.values():
        difference = datetime.fromisoformat(after) - datetime.fromisoformat(before)
        assert difference.total_seconds() == moved
    assert [kind for kind, _ in await timers(gateway)] == ["deadline", "task_expiry"]
    assert await compare(gateway.store.database_url) == []
