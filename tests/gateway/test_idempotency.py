"""`Idempotency-Key`: the same key gives the same run, however often, wherever and however concurrently it is sent."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway, run_stream

Start = Callable[..., Awaitable[RunningGateway]]


async def test_the_same_key_gives_the_same_run_through_either_door(gateway: RunningGateway) -> None:
    first, run = await gateway.post(f"{API}/runs", ENVELOPE, Idempotency_Key="k-1")
    again, same = await gateway.post(f"{API}/runs", ENVELOPE, Idempotency_Key="k-1")
    assert (first.status, again.status) == (202, 202)
    assert run == same
    async with run_stream(gateway, ENVELOPE, Idempotency_Key="k-1") as stream:
        await ByHand(gateway.handler, run["runId"]).to_the_end()
        assert (await stream.to_end()).ids == [1, 2, 3, 4, 5, 6]
    _, finished = await gateway.post(f"{API}/runs", ENVELOPE, Idempotency_Key="k-1")
    assert finished == {**run, "status": "completed"}
    assert (await gateway.rows())["flex_runs"] == 1


async def test_fifty_at_the_same_moment_on_two_gateways_are_one_run(start_gateway: Start) -> None:
    gateways = [await start_gateway(), await start_gateway()]
    posts = [
        gateways[number % 2].post(f"{API}/runs", ENVELOPE, Idempotency_Key="everybody")
        for number in range(50)
    ]
    answers = await asyncio.gather(*posts)
    assert {answer.status for answer, _ in answers} == {202}
    assert len({body["runId"] for _, body in answers}) == 1
    rows = await gateways[0].rows()
    assert (rows["flex_runs"], rows["flex_events"]) == (1, 1)


async def test_another_body_with_the_same_key_is_422_and_names_the_run(gateway: RunningGateway) -> None:
    _, run = await gateway.post(f"{API}/runs", ENVELOPE, Idempotency_Key="k-1")
    other = {**ENVELOPE, "objective": "Say goodbye"}
    for endpoint in ("runs", "run.stream"):
        answer, problem = await gateway.post(f"{API}/{endpoint}", other, Idempotency_Key="k-1")
        assert (answer.status, problem["code"]) == (422, "idempotency_key_reused")
        assert answer.headers["X-Run-Id"] == run["runId"]
    assert (await gateway.rows())["flex_runs"] == 1


async def test_the_same_envelope_written_differently_is_the_same_body(gateway: RunningGateway) -> None:
    _, run = await gateway.post(f"{API}/runs", ENVELOPE, Idempotency_Key="k-1")
    turned = dict(reversed(ENVELOPE.items()))
    _, same = await gateway.post(f"{API}/runs", turned, Idempotency_Key="k-1")
    assert same["runId"] == run["runId"]


async def test_one_callers_key_is_not_anothers(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens="secret-of-ada=ada;secret-of-bob=bob")
    ids: set[str] = set()
    for name in ("ada", "bob"):
        headers = {"Idempotency-Key": "k", "Authorization": f"Bearer secret-of-{name}"}
        _, run = await gateway.post(f"{API}/runs", ENVELOPE, **headers)
        ids.add(run["runId"])
    assert len(ids) == 2


async def test_without_a_key_every_post_is_a_new_run(gateway: RunningGateway) -> None:
    assert await gateway.start_run() != await gateway.start_run()


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
async def test_a_key_that_cannot_be_meant_is_400_and_nothing_is_stored(
    gateway: RunningGateway, key: str
) -> None:
    answer, problem = await gateway.post(f"{API}/runs", ENVELOPE, Idempotency_Key=key)
    assert (answer.status, problem["code"]) == (400, "idempotency_key_invalid")
    assert (await gateway.rows())["flex_runs"] == 0
