"""Outstanding work as an operator sees it, and what giving it back does to those who had it."""

from __future__ import annotations

from typing import Any

import pytest

from eventstore import leases
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.remote import ByHand, remote_node
from tests.support.shapes import fits
from tests.support.wiring import StoreWiring


async def _work(gateway: RunningGateway, query: str = "") -> list[dict[str, Any]]:
    answer, body = await gateway.get(f"{API}/work{query}")
    assert answer.status == 200, body
    return fits("WorkList", body)["work"]


async def _release(gateway: RunningGateway, **body: Any) -> dict[str, Any]:
    answer, found = await gateway.post(f"{API}/work/release", body)
    assert answer.status == 200, found
    return fits("OperationReport", found)


async def test_work_is_listed_oldest_first_in_pages_and_by_filter(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    runs = [await wiring.submit(node("a", queue="default"), node("b", queue="default")) for _ in range(2)]
    await wiring.take(runs[0], "a", "host:1:abcd")
    listed = await _work(gateway)
    assert [each["dueAt"] for each in listed] == sorted(each["dueAt"] for each in listed)
    assert [(each["runId"], each["ref"]) for each in listed if each["state"] == "running"] == [(runs[0], "a")]
    assert sum(each["state"] == "due" for each in listed) == 3
    found: list[str] = []
    cursor = ""
    while True:
        _, page = await gateway.get(f"{API}/work?limit=1{cursor}")
        found += [each["workId"] for each in page["work"]]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert found == [each["workId"] for each in listed]
    assert [each["ref"] for each in await _work(gateway, f"?runId={runs[1]}&kind=node")] == ["a", "b"]
    assert [each["ref"] for each in await _work(gateway, "?worker=host:1:abcd")] == ["a"]
    assert [each["ref"] for each in await _work(gateway, "?state=running")] == ["a"]
    assert await _work(gateway, "?queue=node.other") == []
    for query in ("kind=soup", "state=soup", "runId=1", "cursor=%20"):
        answer, _ = await gateway.get(f"{API}/work?{query}")
        assert answer.status in (400, 404)


async def test_due_work_says_whether_anybody_is_there_for_it(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    run_id = await wiring.submit(remote_node("a"), node("b", queue="default"))
    worker = ByHand(gateway)
    assert [each["served"] for each in await _work(gateway)] == [False, False]
    (task,) = await worker.claim()
    assert {each["ref"]: each.get("served") for each in await _work(gateway)} == {"a": None, "b": False}
    await worker.report(task, "complete", {"output": 1})
    _, shown = await gateway.get(f"{API}/work/{run_id}:node:b")
    assert fits("WorkDetail", shown)["servers"] == []
    await wiring.submit(remote_node("a"))
    (again,) = [each for each in await _work(gateway) if each["ref"] == "a"]
    assert again["served"] is True
    _, shown = await gateway.get(f"{API}/work/{again['workId']}")
    assert [each["worker"] for each in shown["servers"]] == ["remote/w1"]
    for name in ("nothing", f"{run_id}:node:zz", f"{run_id}:soup:"):
        answer, body = await gateway.get(f"{API}/work/{name}")
        assert (answer.status, body["code"]) == (404, "work_unknown")


async def test_work_that_is_given_back_goes_to_another_worker_and_the_first_ones_result_is_stale(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    run_id = await wiring.submit(remote_node("a"))
    first, second = ByHand(gateway, "w1"), ByHand(gateway, "w2")
    (lost,) = await first.claim()
    name = f"{run_id}:node:a"
    planned = await _release(gateway, workIds=[name], dryRun=True)
    assert (planned["done"], planned["items"][0]["result"]) == (1, "would")
    assert [each["worker"] for each in await _work(gateway)] == ["remote/w1"]
    report = await _release(gateway, workIds=[name])
    assert report["items"][0]["result"] == "done"
    assert "remote/w1" in report["items"][0]["about"]
    assert (await first.report(lost, "heartbeat"))[1]["cancelled"] is True
    (task,) = await second.claim()
    assert (task["nodeId"], task["attempt"]) == ("a", 2)
    status, body = await first.report(lost, "complete", {"output": "late"})
    assert (status, body["code"]) == (409, "stale_attempt")
    assert await second.report(task, "complete", {"output": "good"}) == (200, {"status": "completed"})
    (error,) = await wiring.events(run_id, "node_error")
    assert error.payload["error"]["code"] == "worker_lost"
    assert "relieved of it by an operator" in error.payload["error"]["message"]
    assert (await wiring.state(run_id)).nodes["a"].status == "completed"


async def test_a_claim_is_freed_without_charging_its_worker(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    run_id = await wiring.submit(node("a", queue="default"))
    assert await leases.take(wiring.store, (run_id, "node", "a", 1), "claim:abcd:1", 60)
    assert [each["state"] for each in await _work(gateway, "?worker=host:1:abcd")] == ["claimed"]
    report = await _release(gateway, filter={"worker": "host:1:abcd"})
    assert (report["done"], report["more"]) == (1, False)
    (entry,) = await _work(gateway)
    assert (entry["state"], entry["losses"]) == ("due", [])


async def test_what_cannot_be_given_back_is_said_one_by_one(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    run_id = await wiring.submit(node("a", queue="default"), policies={"timeoutSeconds": 3600})
    kinds = {each["kind"]: each["workId"] for each in await _work(gateway)}
    report = await _release(gateway, workIds=[kinds["node"], f"{run_id}:node:gone", "x" * 40, *_timer(kinds)])
    codes = [each["code"] for each in report["items"]]
    assert codes[:3] == ["work_free", "work_gone", "work_gone"]
    assert set(codes[3:]) <= {"work_is_timer"}
    assert (report["done"], report["refused"]) == (0, len(codes))


def _timer(kinds: dict[str, str]) -> list[str]:
    return [kinds["deadline"]] if "deadline" in kinds else []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {}},
        {"workIds": []},
        {"workIds": ["x" * 40], "filter": {"kind": "node"}},
        {"filter": {"kind": "soup"}},
    ],
)
async def test_a_selection_that_selects_nothing_or_everything_is_refused(
    gateway: RunningGateway, body: dict[str, Any]
) -> None:
    answer, found = await gateway.post(f"{API}/work/release", body)
    assert (answer.status, found["code"]) == (400, "invalid_body")
    assert found["errors"][0]["message"]


async def test_only_an_administrator_gives_work_back(start_gateway: Any) -> None:
    gateway = await start_gateway(tokens="token-of-ann=ann:editor;token-of-bob=bob:admin")
    body = {"workIds": ["x" * 40]}
    answer, found = await gateway.post(f"{API}/work/release", body, Authorization="Bearer token-of-ann")
    assert (answer.status, found["code"]) == (403, "not_permitted")
    answer, found = await gateway.post(f"{API}/work/release", body, Authorization="Bearer token-of-bob")
    assert answer.status == 200, found


async def test_what_was_given_back_is_in_the_operations_log_and_a_dry_run_is_not(
    gateway: RunningGateway, wiring: StoreWiring
) -> None:
    run_id = await wiring.submit(node("a", queue="default"))
    await wiring.take(run_id, "a", "host:1:abcd")
    name = f"{run_id}:node:a"
    await _release(gateway, workIds=[name], dryRun=True)
    await _release(gateway, workIds=[name], reason="it hangs", operator="ann")
    _, log = await gateway.get(f"{API}/operations?action=releaseWork")
    (entry,) = log["operations"]
    assert (entry["objectId"], entry["reason"], entry["claimedActor"]) == (name, "it hangs", "ann")
