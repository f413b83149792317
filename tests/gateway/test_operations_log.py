"""The operations log: every request that changes something is in it, with who, what, and what came of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from eventstore.operations import new_operation_id
from eventstore.tidying import tidy
from gateway.app import ENDPOINTS
from gateway.endpoint import Endpoint
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
ADA = {"Authorization": "Bearer secret-of-ada"}
TOKENS = "secret-of-ada=ada:admin;secret-of-bob=bob"
NOWHERE = "01900000-0000-7000-8000-00000000dead"
CHANGING = [endpoint for endpoint in ENDPOINTS if endpoint.method != "get"]
OWN_REPORTS = {
    "heartbeatOfWork", "completeWork", "failWork", "askAboutWork", "logOfWork", "deltaOfWork", "callBack", "claimWork",
}  # fmt: skip


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


async def entries(gateway: RunningGateway, query: str = "", *, count: int = 1) -> list[dict[str, Any]]:
    """The log, newest first, once `count` operations have ended."""

    found: list[dict[str, Any]] = []

    async def listed() -> bool:
        answer, page = await gateway.get(f"{API}/operations{query}", **ADA)
        assert answer.status == 200, page
        found[:] = page["operations"]
        return sum(each["outcome"] != "begun" for each in found) >= count

    await eventually(listed)
    return found


def test_what_changes_something_is_recorded_and_says_why_where_it_is_not() -> None:
    unrecorded = {each.name for each in CHANGING if not each.recorded}
    assert unrecorded == {"planEnvelope"} | OWN_REPORTS
    assert all(each.about.get("unrecorded") for each in CHANGING if not each.recorded)
    assert {each.name for each in CHANGING if each.about.get("records_itself")} == {
        "decideByLink", "dropDeadLetters", "releaseWork", "requeueDeadLetters",
    }  # fmt: skip
    assert {each.acts_on[0] for each in CHANGING if each.recorded} >= {
        "run", "capability", "facet", "webhook", "link", "request", "task", "policy",
    }  # fmt: skip


@pytest.mark.parametrize(
    "endpoint",
    [each for each in CHANGING if each.recorded and not each.about.get("records_itself")],
    ids=lambda each: each.name,
)
async def test_every_endpoint_that_changes_something_leaves_an_entry(
    start_gateway: Start, endpoint: Endpoint
) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    path = re.sub(r"{\w+}", NOWHERE, endpoint.path)
    async with gateway.http.request(
        endpoint.method, gateway.url + path, data=b'{"nothing": "known"}', headers=ADA
    ) as answer:
        assert answer.status >= 400
        problem = await answer.json()
    (entry,) = await entries(gateway)
    assert entry["actor"] == "ada"
    assert entry["action"] == endpoint.name
    assert (entry["outcome"], entry["code"]) == ("refused", problem["code"])
    assert entry["status"] == answer.status
    assert entry["correlationId"] == answer.headers["X-Correlation-Id"]
    assert entry["source"] == "127.0.0.1"


async def test_an_entry_says_who_what_why_and_what_came_of_it(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    _, run = await gateway.post(f"{API}/runs", ENVELOPE, **ADA)
    body = {"reason": "by mistake", "operator": {"id": "mallory"}}
    headers = {**ADA, "X_Correlation_Id": "ticket 7", "X_Forwarded_For": "203.0.113.7, 10.0.0.1"}
    await gateway.post(f"{API}/runs/{run['runId']}/abort", body, **headers)
    abort, start = await entries(gateway, count=2)
    assert (start["action"], start["outcome"], start["status"]) == ("startRun", "done", 202)
    assert (start["objectKind"], start["objectId"], start["runId"]) == ("run", run["runId"], run["runId"])
    known = {key: abort[key] for key in ("action", "actor", "claimedActor", "reason", "outcome", "runId")}
    assert known == {
        "action": "abortRun",
        "actor": "ada",
        "claimedActor": "mallory",
        "reason": "by mistake",
        "outcome": "done",
        "runId": run["runId"],
    }
    assert abort["correlationId"] == "ticket 7"
    assert abort["forwardedFor"] == "203.0.113.7, 10.0.0.1"
    assert start["at"] <= abort["at"] <= abort["finishedAt"]


async def test_a_stream_is_done_as_soon_as_it_has_begun(gateway: RunningGateway) -> None:
    async with gateway.http.post(f"{gateway.url}{API}/run.stream", json=ENVELOPE) as answer:
        assert answer.status == 200
        (entry,) = await entries(gateway)
    assert (entry["action"], entry["outcome"]) == ("streamRun", "done")
    assert entry["runId"] == answer.headers["X-Run-Id"]
    assert entry["actor"] == "anonymous"


async def test_nobody_who_is_not_known_writes_into_it(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    assert (await gateway.post(f"{API}/runs", ENVELOPE))[0].status == 401
    await gateway.post(f"{API}/runs/{NOWHERE}/abort", {}, **ADA)
    assert [each["action"] for each in await entries(gateway)] == ["abortRun"]


async def test_nothing_takes_place_that_cannot_be_recorded(
    gateway: RunningGateway, database: psycopg.AsyncConnection[Any]
) -> None:
    run_id = await gateway.start_run()
    await entries(gateway)
    await database.execute("alter table flex_operations rename to flex_operations_gone")
    answer, _ = await gateway.post(f"{API}/runs/{run_id}/abort", {})
    assert answer.status >= 500
    await database.execute("alter table flex_operations_gone rename to flex_operations")
    assert (await gateway.store.load(run_id, fresh=True)).finished is False


async def test_the_list_is_filtered_and_comes_in_pages(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    runs = [
        (await gateway.post(f"{API}/runs", ENVELOPE, Authorization=f"Bearer secret-of-{name}"))[1]["runId"]
        for name in ("ada", "bob", "bob")
    ]
    await gateway.post(f"{API}/runs/{runs[2]}/abort", {}, **ADA)
    every = await entries(gateway, count=4)
    assert [each["action"] for each in every] == ["abortRun", "startRun", "startRun", "startRun"]
    for query, count in {
        "?actor=bob": 2,
        "?action=abortRun": 1,
        f"?runId={runs[2]}": 2,
        f"?runId={runs[2].upper()}&actor=ada": 1,
        "?objectKind=run": 4,
        f"?objectKind=run&objectId={runs[0]}": 1,
        "?objectKind=webhook": 0,
        "?objectKind=webhook&objectId=w": 0,
        "?outcome=refused": 0,
        f"?since={every[1]['at']}": 2,
        f"?until={every[1]['at']}": 2,
        "?since=2999-01-01T00:00:00Z": 0,
        "?until=0001-01-01T00:00:00Z": 0,
    }.items():
        assert len(await entries(gateway, query, count=count)) == count, query
    pages: list[str] = []
    query = "?limit=3"
    while query:
        _, page = await gateway.get(f"{API}/operations{query}", **ADA)
        pages += [each["operationId"] for each in page["operations"]]
        query = f"?limit=3&cursor={page['nextCursor']}" if "nextCursor" in page else ""
    assert pages == [each["operationId"] for each in every]


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "since=2026-01-01T00:00:00", "actor=", f"actor={'a' * 301}", "action=%00",
     "cursor=x", "limit=0", "outcome=perhaps", "objectId=%0a", "cursor=bm8tdXVpZA==", "since=%F0%9F%98%80"],
)  # fmt: skip
async def test_a_filter_that_means_nothing_is_refused(gateway: RunningGateway, query: str) -> None:
    answer, problem = await gateway.get(f"{API}/operations?{query}")
    assert (answer.status, problem["code"]) == (400, "query_invalid")


async def test_strangers_texts_and_tokens_in_them_do_no_harm(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    path = f"{API}/webhooks/secret-of-bob%00%0a%F0%9F%98%80{'x' * 5000}"
    async with gateway.http.delete(gateway.url + path, headers=ADA) as answer:
        assert answer.status == 404
    body = {"reason": f"secret-of-bob \u202e{'y' * 9000}", "operator": "Bearer secret-of-ada"}
    run_id = (await gateway.post(f"{API}/runs", ENVELOPE, **ADA))[1]["runId"]
    await gateway.post(f"{API}/runs/{run_id}/abort", body, X_Forwarded_For="z" * 4000, **ADA)
    found = await entries(gateway, count=3)
    assert len(found) == 3
    assert "secret-of" not in str(found)
    assert max(len(str(each)) for each in found) < 4_000


async def test_reads_are_in_it_where_that_is_set(start_gateway: Start) -> None:
    gateway = await start_gateway(record_reads=True)
    run_id = await gateway.start_run()
    await gateway.get(f"{API}/runs/{run_id}")
    await gateway.get("/healthz")
    reads = await entries(gateway, "?action=showRun")
    assert [(each["objectKind"], each["objectId"], each["outcome"]) for each in reads] == [
        ("run", run_id, "done")
    ]
    assert not (await gateway.get(f"{API}/operations?action=health"))[1]["operations"]


async def test_what_has_ended_is_not_changed_and_what_is_young_is_not_deleted(
    gateway: RunningGateway, database: psycopg.AsyncConnection[Any]
) -> None:
    await gateway.start_run()
    await entries(gateway)
    for change in ("update flex_operations set actor = 'mallory'", "delete from flex_operations"):
        with pytest.raises(psycopg.Error, match="the operations log keeps what it has"):
            await database.execute(change.encode())


async def test_what_is_older_than_the_setting_says_is_deleted(
    gateway: RunningGateway, database: psycopg.AsyncConnection[Any]
) -> None:
    await gateway.start_run()
    await entries(gateway)
    cursor = await database.execute("select at from flex_operations")
    ((at,),) = await cursor.fetchall()
    old = at.replace(year=at.year - 2)
    await database.execute(
        "insert into flex_operations (operation_id, at, actor, action, object_kind, outcome, finished_at)"
        " values (%s, %s, 'a', 'abortRun', 'run', 'done', now())",
        [new_operation_id(old), old],
    )
    assert await tidy(gateway.store) == 1
    assert len(await entries(gateway)) == 1
