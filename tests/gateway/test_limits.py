"""How much a tenant and its callers may take: over several gateways, and with nothing stored of what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import psycopg
import pytest

from runs import commands as c
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.given import node
from tests.support.scraping import scrape
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
TOKENS = "secret-of-ada=ada:admin;secret-of-bob=bob;secret-of-zoe=zoe:admin,tenant:acme"
ADA = {"Authorization": "Bearer secret-of-ada"}
BOB = {"Authorization": "Bearer secret-of-bob"}
RUNS = f"{API}/runs"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


async def set_limits(gateway: RunningGateway, actor: str | None = None, **limits: int | None) -> Any:
    body: dict[str, Any] = {"limits": limits} | ({} if actor is None else {"actor": actor})
    answer, shown = await gateway.post(f"{API}/limits/default", body, **ADA)
    assert answer.status == 200, shown
    return shown


async def statuses(*requests: Awaitable[tuple[aiohttp.ClientResponse, Any]]) -> list[int]:
    return [answer.status for answer, _ in await asyncio.gather(*requests)]


async def test_starts_beyond_the_rate_are_refused_at_every_gateway_and_leave_nothing(
    start_gateway: Start, database: psycopg.AsyncConnection[Any]
) -> None:
    one, other = [await start_gateway(limits="tenant.runsPerMinute=2") for _ in range(2)]
    answer, _ = await one.post(RUNS, ENVELOPE)
    assert answer.status == 202
    assert answer.headers["RateLimit-Policy"] == '"tenant-runsPerMinute";q=2;w=60'
    assert answer.headers["RateLimit"] == '"tenant-runsPerMinute";r=1;t=30'
    assert (await other.post(RUNS, ENVELOPE))[0].status == 202
    before = await one.rows()
    for gateway in (one, other):
        answer, problem = await gateway.post(RUNS, ENVELOPE)
        assert (answer.status, problem["code"]) == (429, "limit_runs_per_minute")
        assert 25 <= int(answer.headers["Retry-After"]) <= 30
        assert ";r=0;t=" in answer.headers["RateLimit"]
        assert (problem["limit"], problem["level"], problem["most"]) == ("runsPerMinute", "tenant", 2)
    assert await one.rows() == before
    await one.gateway.operations.close()
    logged = await (
        await database.execute("select count(*) from flex_operations where status = 429")
    ).fetchone()
    assert logged == (0,)


async def test_a_repeat_of_an_accepted_start_is_not_refused_and_costs_nothing(start_gateway: Start) -> None:
    gateway = await start_gateway(limits="tenant.runsPerMinute=2, actor.checksPerMinute=1")
    first, run = await gateway.post(RUNS, ENVELOPE, Idempotency_Key="k1")
    assert first.status == 202
    for _ in range(3):
        answer, again = await gateway.post(RUNS, ENVELOPE, Idempotency_Key="k1")
        assert (answer.status, again["runId"]) == (202, run["runId"])
    answer, problem = await gateway.post(RUNS, ENVELOPE, Idempotency_Key="k2")
    assert (answer.status, problem["code"]) == (429, "limit_checks_per_minute")
    gateway.gateway.change_limits(
        backlog_limit=50_000, ping_seconds=15, record_reads=False, limits="tenant.runsPerMinute=2"
    )
    assert (await gateway.post(RUNS, ENVELOPE, Idempotency_Key="k2"))[0].status == 202
    assert (await gateway.post(RUNS, ENVELOPE, Idempotency_Key="k3"))[0].status == 429
    assert (await gateway.post(RUNS, ENVELOPE, Idempotency_Key="k2"))[0].status == 202


async def test_as_many_runs_are_unfinished_as_may_be_however_many_start_at_once(start_gateway: Start) -> None:
    gateways = [await start_gateway(limits="tenant.unfinishedRuns=5") for _ in range(2)]
    answers = await asyncio.gather(*(each.post(RUNS, ENVELOPE) for each in gateways for _ in range(10)))
    accepted = [body["runId"] for answer, body in answers if answer.status == 202]
    refused = {body["code"] for answer, body in answers if answer.status != 202}
    assert (len(accepted), refused) == (5, {"limit_unfinished_runs"})
    assert (await gateways[0].rows())["flex_runs"] == 5
    answer, _ = await gateways[0].post(f"{RUNS}/{accepted[0]}/abort", {})
    assert answer.status == 200
    assert (await gateways[1].post(RUNS, ENVELOPE))[0].status == 202
    assert (await gateways[0].post(RUNS, ENVELOPE))[0].status == 429
    forked, problem = await gateways[0].post(f"{RUNS}/{accepted[0]}/retry", {})
    assert (forked.status, problem["code"]) == (429, "limit_unfinished_runs")


async def test_a_caller_has_limits_of_its_own(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    await set_limits(gateway, actor="*", unfinishedRuns=1)
    await set_limits(gateway, actor="ada", unfinishedRuns=2)
    bob = sorted(await statuses(*(gateway.post(RUNS, ENVELOPE, **BOB) for _ in range(3))))
    assert bob == [202, 429, 429]
    ada = sorted(await statuses(*(gateway.post(RUNS, ENVELOPE, **ADA) for _ in range(4))))
    assert ada == [202, 202, 429, 429]
    await set_limits(gateway, actor="bob", unfinishedRuns=None)
    assert await statuses(*(gateway.post(RUNS, ENVELOPE, **BOB) for _ in range(3))) == [202] * 3


async def test_bytes_of_a_day_are_those_of_the_bodies(start_gateway: Start) -> None:
    gateway = await start_gateway(limits="tenant.bytesPerDay=1000")
    small = {**ENVELOPE, "inputs": {"text": "x" * 500}}
    first, _ = await gateway.post(RUNS, small)
    assert first.status == 202
    assert first.headers["RateLimit-Policy"] == '"tenant-bytesPerDay";q=1000;w=86400;qu="content-bytes"'
    answer, problem = await gateway.post(RUNS, small)
    assert (answer.status, problem["code"]) == (429, "limit_bytes_per_day")
    assert (await gateway.post(RUNS, ENVELOPE))[0].status == 202


async def test_a_stream_too_many_starts_no_run_and_one_that_ends_makes_room(start_gateway: Start) -> None:
    gateway = await start_gateway(limits="tenant.openStreams=1")
    stream = await gateway.http.post(f"{gateway.url}{API}/run.stream", json=ENVELOPE)
    assert stream.status == 200
    await stream.content.readany()
    before = await gateway.rows()
    answer, problem = await gateway.post(f"{API}/run.stream", ENVELOPE)
    assert (answer.status, problem["code"]) == (429, "limit_open_streams")
    assert await gateway.rows() == before
    run_id = stream.headers["X-Run-Id"]
    answer, problem = await gateway.get(f"{RUNS}/{run_id}/events", Accept="text/event-stream")
    assert (answer.status, problem["code"]) == (429, "limit_open_streams")
    stream.close()

    async def has_room() -> bool:
        async with gateway.http.post(f"{gateway.url}{API}/run.stream", json=ENVELOPE) as again:
            return again.status == 200

    await eventually(has_room)


async def test_requests_in_flight_are_counted_until_they_end(start_gateway: Start) -> None:
    gateway = await start_gateway(limits="actor.requestsInFlight=1")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"POST {RUNS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n".encode())
    await writer.drain()

    async def refused() -> bool:
        answer, body = await gateway.get(RUNS)
        return answer.status == 429 and body["code"] == "limit_requests_in_flight"

    await eventually(refused)
    assert (await gateway.get("/healthz"))[0].status == 200
    assert (await gateway.get(f"{API}/limits"))[0].status == 200
    writer.close()

    async def let_through() -> bool:
        return (await gateway.get(RUNS))[0].status == 200

    await eventually(let_through)
    assert reader is not None


async def test_what_is_set_holds_at_every_gateway_and_is_in_the_operations_log(start_gateway: Start) -> None:
    one = await start_gateway(tokens=TOKENS, notified=True)
    other = await start_gateway(
        tokens=TOKENS, notified=True, limits="tenant.runsPerMinute=7, actor.openStreams=9"
    )
    shown = await set_limits(one, runsPerMinute=0, openStreams=None)
    assert shown["limits"] == [{"level": "tenant", "name": "runsPerMinute", "most": 0, "origin": "set"}]

    async def holds() -> bool:
        return (await other.post(RUNS, ENVELOPE, **BOB))[0].status == 429

    await eventually(holds)
    _, there = await other.get(f"{API}/limits/default?actor=bob", **ADA)
    assert there["limits"] == [
        {"level": "tenant", "name": "runsPerMinute", "most": 0, "origin": "set"},
        {"level": "actor", "name": "openStreams", "most": 9, "origin": "settings"},
    ]
    answer, _ = await one.post(f"{API}/limits/default/unset", {"names": ["runsPerMinute"]}, **ADA)
    assert answer.status == 200

    async def holds_no_more() -> bool:
        return (await other.post(RUNS, ENVELOPE, **BOB))[0].status == 202

    await eventually(holds_no_more)
    _, listed = await one.get(f"{API}/limits", **ADA)
    assert [(each["tenant"], each["name"], each["most"], each["setBy"]) for each in listed["limits"]] == [
        ("default", "openStreams", None, "ada")
    ]

    async def logged() -> bool:
        _, page = await one.get(f"{API}/operations", **ADA)
        found = {(each["action"], each["objectId"]) for each in page["operations"]}
        return {("setLimits", "default"), ("unsetLimits", "default")} <= found

    await eventually(logged)


async def test_only_an_operator_changes_limits(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    for path, body in (
        (f"{API}/limits/default", {"limits": {"weight": 2}}),
        (f"{API}/limits/default/unset", {}),
    ):
        answer, _ = await gateway.post(path, body, **BOB)
        assert answer.status == 403


@pytest.mark.parametrize(
    "body",
    [
        {"limits": {}},
        {"limits": {"runsPerMinute": -1}},
        {"limits": {"runsPerMinute": "600"}},
        {"limits": {"nothing": 1}},
        {"limits": {"weight": 0}},
        {"actor": "ada", "limits": {"webhooks": 1}},
        {"actor": " ", "limits": {"openStreams": 1}},
    ],
)
async def test_limits_that_make_no_sense_are_refused(start_gateway: Start, body: dict[str, Any]) -> None:
    gateway = await start_gateway()
    answer, problem = await gateway.post(f"{API}/limits/default", body)
    assert answer.status == 400, problem
    answer, problem = await gateway.post(f"{API}/limits/No Tenant", body)
    assert answer.status in {400, 404}, problem


async def test_pages_of_limits_lead_through_all_of_them(start_gateway: Start) -> None:
    gateway = await start_gateway()
    for tenant, actor in (("acme", None), ("acme", "a b=c"), ("acme", "*"), ("zeta", "é ")):
        body: dict[str, Any] = {"limits": {"openStreams": 3}} | ({} if actor is None else {"actor": actor})
        assert (await gateway.post(f"{API}/limits/{tenant}", body))[0].status == 200
    found: list[tuple[str, str | None]] = []
    query = "?limit=1"
    for _ in range(6):
        answer, page = await gateway.get(f"{API}/limits{query}")
        assert answer.status == 200, page
        found += [(each["tenant"], each.get("actor")) for each in page["limits"]]
        if "nextCursor" not in page:
            break
        query = f"?limit=1&cursor={page['nextCursor']}"
    assert sorted(found, key=str) == sorted(
        [("acme", None), ("acme", "a b=c"), ("acme", "*"), ("zeta", "é ")], key=str
    )


async def test_webhooks_are_limited_for_the_tenant_as_a_whole(start_gateway: Start) -> None:
    gateway = await start_gateway(limits="tenant.webhooks=1", webhook_allow_private=True)
    hook = {"url": "http://127.0.0.1:9/hook", "eventTypes": ["complete"]}
    made, webhook = await gateway.post(f"{API}/webhooks", hook)
    assert made.status == 201
    answer, problem = await gateway.post(f"{API}/webhooks", hook)
    assert (answer.status, problem["code"]) == (429, "limit_webhooks")
    async with gateway.http.delete(f"{gateway.url}{API}/webhooks/{webhook['webhookId']}") as removed:
        assert removed.status < 300
    assert (await gateway.post(f"{API}/webhooks", hook))[0].status == 201


async def test_open_requests_to_people_keep_new_runs_away_until_they_are_decided(
    start_gateway: Start,
) -> None:
    gateway = await start_gateway(limits="tenant.openRequests=1")
    first = ByHand(gateway.handler, await gateway.start_run())
    await first.planned(node("a"))
    await first.start()
    assert (await gateway.post(RUNS, ENVELOPE))[0].status == 202
    await first.do(
        c.RequestClarification, node_id="a", attempt=1, question="Which?", options=(), additional_context={}
    )
    answer, problem = await gateway.post(RUNS, ENVELOPE)
    assert (answer.status, problem["code"]) == (429, "limit_open_requests")
    assert (await gateway.post(f"{RUNS}/{first.run_id}/abort", {}))[0].status == 200
    assert (await gateway.post(RUNS, ENVELOPE))[0].status == 202


async def test_tenants_are_counted_apart_and_only_the_operator_sees_all(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS, limits="tenant.unfinishedRuns=1")
    acme = {"Authorization": "Bearer secret-of-zoe"}
    for who in (ADA, acme):
        assert (await gateway.post(RUNS, ENVELOPE, **who))[0].status == 202
        assert (await gateway.post(RUNS, ENVELOPE, **who))[0].status == 429
    answer, _ = await gateway.post(f"{API}/limits/acme", {"limits": {"unfinishedRuns": 3}}, **ADA)
    assert answer.status == 200
    assert (await gateway.post(RUNS, ENVELOPE, **acme))[0].status == 202
    assert (await gateway.post(RUNS, ENVELOPE, **ADA))[0].status == 429
    answer, problem = await gateway.post(f"{API}/limits/acme", {"limits": {"unfinishedRuns": 9}}, **acme)
    assert (answer.status, problem["code"]) == (403, "not_permitted")
    assert (await gateway.get(f"{API}/limits/acme", **acme))[0].status == 403
    await set_limits(gateway, unfinishedRuns=5)
    for who, tenants in ((ADA, {"acme", "default"}), (acme, {"acme"})):
        _, listed = await gateway.get(f"{API}/limits", **who)
        assert {each["tenant"] for each in listed["limits"]} == tenants


async def test_refusals_are_counted(start_gateway: Start) -> None:
    gateway = await start_gateway(limits="tenant.runsPerMinute=0")
    before = (await scrape(gateway.url)).value("flexrun_limit_refusals_total", limit="runsPerMinute")
    for _ in range(3):
        assert (await gateway.post(RUNS, ENVELOPE))[0].status == 429
    after = (await scrape(gateway.url)).value("flexrun_limit_refusals_total", limit="runsPerMinute")
    assert after - before == 3


async def test_a_clock_that_was_set_back_shuts_nobody_out(
    start_gateway: Start, database: psycopg.AsyncConnection[Any]
) -> None:
    """The rows are as they were written by a clock that was a year ahead."""
    gateway = await start_gateway(limits="tenant.runsPerMinute=60, tenant.unfinishedRuns=1")
    await database.execute(
        "insert into flex_rates (tenant, actor, name, full_at)"
        " values ('default', '', 'runsPerMinute', clock_timestamp() + interval '1 year')"
    )
    await database.execute(
        "insert into flex_start_claims (run_id, tenant, submitter, claimed_at)"
        " values (gen_random_uuid(), 'default', '', clock_timestamp() + interval '1 year')"
    )
    answer, problem = await gateway.post(RUNS, ENVELOPE)
    assert (answer.status, problem["code"]) == (429, "limit_runs_per_minute")
    assert answer.headers["Retry-After"] == "1"

    async def let_through() -> bool:
        return (await gateway.post(RUNS, ENVELOPE))[0].status == 202

    await eventually(let_through)
