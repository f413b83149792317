"""With too long a backlog or no database: 503 with what to do, and streams that end cleanly."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from contracts.checker import ContractChecker
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway, running_gateway, stream_of
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]


async def test_a_full_backlog_refuses_new_runs_and_nothing_else(start_gateway: Start) -> None:
    gateway = await start_gateway(backlog_limit=3, backlog_sample_seconds=0.0)
    run_ids = [await gateway.start_run() for _ in range(3)]

    async def full() -> bool:
        answer, problem = await gateway.post(f"{API}/run.stream", b"{}")
        assert answer.status == 400, "a mistake is told before anything else"
        answer, problem = await gateway.post(f"{API}/runs", ENVELOPE)
        if answer.status == 202:
            return False
        assert (answer.status, problem["code"]) == (503, "backlog_full")
        assert answer.headers["Retry-After"] == "1"
        assert int(answer.headers["X-Backlog-Pending"]) >= 3
        assert answer.headers["X-Backlog-Limit"] == "3"
        return True

    await eventually(full)
    assert (await gateway.get(f"{API}/runs/{run_ids[0]}"))[0].status == 200
    attach = {**ENVELOPE, "constraints": {"resumeRunId": run_ids[0]}}
    answer, _ = await gateway.post(f"{API}/runs", attach)
    assert answer.status == 202, "it starts nothing"
    _, page = await gateway.get(f"{API}/runs")
    for run in page["runs"]:
        await gateway.post(f"{API}/runs/{run['runId']}/abort", b"")

    async def free() -> bool:
        return (await gateway.post(f"{API}/runs", ENVELOPE))[0].status == 202

    await eventually(free)


async def test_a_database_that_is_away_is_503_and_the_gateway_recovers(
    database_url: str, contracts: ContractChecker
) -> None:
    server = urlsplit(database_url)
    async with (
        TcpProxy(server.hostname or "", server.port or 5432) as proxy,
        running_gateway(proxy.url(database_url), contracts, ready_seconds=0.2) as gateway,
    ):
        run_id = await gateway.start_run()
        proxy.refusing = True
        proxy.cut()
        answer, problem = await gateway.get("/readyz")
        assert (answer.status, problem["code"]) == (503, "not_ready")
        assert (await gateway.get("/healthz"))[0].status == 200
        answer, problem = await gateway.post(f"{API}/runs", ENVELOPE)
        assert (answer.status, problem["code"]) == (503, "store_unavailable")
        assert answer.headers["Retry-After"] == "1"
        proxy.refusing = False

        async def ready() -> bool:
            return (await gateway.get("/readyz"))[0].status == 200

        await eventually(ready)
        async with stream_of(gateway, run_id) as stream:
            await ByHand(gateway.handler, run_id).to_the_end()
            assert (await stream.to_end()).types[-1] == "complete"


async def test_a_stream_survives_a_database_that_is_cut_off_for_a_moment(
    database_url: str, contracts: ContractChecker
) -> None:
    server = urlsplit(database_url)
    async with (
        TcpProxy(server.hostname or "", server.port or 5432) as proxy,
        running_gateway(proxy.url(database_url), contracts, notified=True) as gateway,
    ):
        run_id = await gateway.start_run()
        async with stream_of(gateway, run_id) as stream:
            await stream.until(1)
            proxy.cut()
            await ByHand(gateway.handler, run_id).to_the_end()
            assert (await stream.to_end()).ids == [1, 2, 3, 4, 5, 6]


async def test_a_database_that_is_not_migrated_is_not_ready(
    empty_database_url: str, contracts: ContractChecker
) -> None:
    async with running_gateway(empty_database_url, contracts) as gateway:
        answer, problem = await gateway.get("/readyz")
        assert (answer.status, problem["code"]) == (503, "not_ready")
        assert "flexrun db migrate" in problem["detail"]


async def test_ready_says_what_it_stands_on(gateway: RunningGateway) -> None:
    answer, body = await gateway.get("/readyz")
    assert answer.status == 200
    assert body == {
        "status": "degraded",
        "database": "ok",
        "broker": "none",
        "missingRoles": ["planner", "executor"],
        "version": "test",
        "parts": [
            {"name": "database", "status": "ok"},
            {"name": "broker", "status": "ok"},
            {"name": "work", "status": "ok"},
            {"name": "planner", "status": "missing", "detail": "no process has the role planner"},
            {"name": "executor", "status": "missing", "detail": "no process has the role executor"},
        ],
    }
    assert (await gateway.get("/healthz"))[1] == {"status": "ok"}


@pytest.mark.parametrize("endpoint", ["run.stream", "runs"])
async def test_a_slow_database_makes_nobody_start_a_run_twice(
    database_url: str, contracts: ContractChecker, endpoint: str
) -> None:
    server = urlsplit(database_url)
    async with (
        TcpProxy(server.hostname or "", server.port or 5432) as proxy,
        running_gateway(proxy.url(database_url), contracts) as gateway,
    ):
        await gateway.start_run()
        proxy.stalled = True
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(gateway.post(f"{API}/{endpoint}", ENVELOPE, Idempotency_Key="k"), 0.3)
        proxy.stalled = False
        await gateway.gateway.finish_writes()
        answer, _ = await gateway.post(f"{API}/runs", ENVELOPE, Idempotency_Key="k")
        assert answer.status == 202
        assert (await gateway.rows())["flex_runs"] == 2
