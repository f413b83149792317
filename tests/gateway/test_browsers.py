"""Pages in browsers: those that were named may call, and others may not use the visitor's own machine."""

from collections.abc import Awaitable, Callable

import pytest

from tests.support.gateways import API, ENVELOPE, RunningGateway

Start = Callable[..., Awaitable[RunningGateway]]
PAGE = "https://app.example"


async def test_a_named_page_may_call_and_read_the_answer(start_gateway: Start) -> None:
    gateway = await start_gateway(cors_origins=(PAGE,))
    answer, _ = await gateway.post(f"{API}/runs", ENVELOPE, Origin=PAGE)
    assert answer.status == 202
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Vary"] == "Origin"
    assert "X-Run-Id" in answer.headers["Access-Control-Expose-Headers"]
    answer, _ = await gateway.get(f"{API}/runs/nobody", Origin=PAGE)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE, "it may read problems too"


async def test_a_browser_that_asks_first_is_told_without_a_token(start_gateway: Start) -> None:
    gateway = await start_gateway(cors_origins=(PAGE,), tokens="secret-of-ada=ada")
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    async with gateway.http.options(f"{gateway.url}{API}/run.stream", headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
        assert {"Authorization", "Cache-Control", "Idempotency-Key", "Last-Event-ID"} <= allowed
    headers["Origin"] = "https://stranger.example"
    async with gateway.http.options(f"{gateway.url}{API}/run.stream", headers=headers) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://stranger.example", "null", "http://localhost:1"])
async def test_without_tokens_a_strangers_page_can_start_nothing(
    gateway: RunningGateway, origin: str
) -> None:
    answer, problem = await gateway.post(f"{API}/runs", ENVELOPE, Origin=origin, Content_Type="text/plain")
    assert (answer.status, problem["code"]) == (403, "origin_not_allowed")
    assert (await gateway.rows())["flex_runs"] == 0


async def test_a_name_that_was_pointed_at_this_machine_opens_no_door(gateway: RunningGateway) -> None:
    answer, problem = await gateway.get(f"{API}/runs", Host="rebound.example:8080")
    assert (answer.status, problem["code"]) == (403, "host_not_allowed")
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080", "flexrun.localhost"):
        answer, _ = await gateway.get(f"{API}/runs", Host=host)
        assert answer.status == 200


async def test_the_gateways_own_pages_may_call(gateway: RunningGateway) -> None:
    answer, _ = await gateway.post(f"{API}/runs", ENVELOPE, Origin=f"http://127.0.0.1:{gateway.port}")
    assert answer.status == 202
