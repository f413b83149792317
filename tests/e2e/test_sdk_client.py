"""The client of the SDK over a running engine: through cut connections, decisions, refusals and ends."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from flexrun_sdk import AsyncClient, Client, GatewayError, RunNotCompleted
from tests.support.linkedin import example
from tests.support.sites import Site
from tests.support.submitting import delivered
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.parametrize("shared_site", ["postgres"], indirect=True)


async def test_a_stream_that_is_cut_is_read_without_gap_or_double(shared_site: Site) -> None:
    gateway = urlsplit(shared_site.urls[0])
    async with TcpProxy(gateway.hostname or "", gateway.port or 0) as proxy:
        proxy.cut_after = [900, 300, 700, 1_500]  # the first in the answer to the POST or soon after
        async with AsyncClient(f"http://127.0.0.1:{proxy.port}") as client:
            run_id = await client.submit(example("linkedin-variants"))
            frames = [frame async for frame in client.stream(run_id)]
        assert proxy.accepted >= 4
    assert [int(frame["id"]) for frame in frames] == list(range(1, len(frames) + 1))
    assert (frames[0]["type"], frames[-1]["type"]) == ("start", "complete")
    delivered(example("linkedin-variants"), frames)


async def test_a_submission_that_is_repeated_is_one_run(shared_site: Site) -> None:
    async with AsyncClient(shared_site.urls[0]) as client:
        first = await client.submit(example("linkedin-variants"), idempotency_key=f"twice-{id(client)}")
        assert (
            await client.submit(example("linkedin-variants"), idempotency_key=f"twice-{id(client)}") == first
        )
        frames = [frame async for frame in client.stream(first)]
        assert [frame async for frame in client.stream(first, after=len(frames))] == []


async def until_asked(client: AsyncClient, run_id: str) -> dict[str, Any]:
    async for frame in client.stream(run_id):
        if frame["type"] == "hitl_request":
            return frame
    raise AssertionError("the run asks nobody")


async def test_a_draft_is_approved_and_another_rejected(shared_site: Site) -> None:
    async with AsyncClient(shared_site.urls[0]) as client:
        approved, rejected = [await client.submit(example("linkedin-approval")) for _ in range(2)]
        for run_id in (approved, rejected):
            asked = await until_asked(client, run_id)
            (open_request,) = await client.requests(run_id)
            assert open_request["requestId"] == asked["payload"]["requestId"]
        await client.approve(approved, note="good")
        assert await client.result(approved)
        with pytest.raises(GatewayError) as nothing_left:
            await client.approve(approved)
        assert (nothing_left.value.status, nothing_left.value.code) == (404, "request_unknown")
        await client.reject(rejected)
        with pytest.raises(RunNotCompleted, match="failed"):
            await client.result(rejected)
        assert (await client.show(rejected))["status"] == "failed"


async def test_an_aborted_run_has_no_output(shared_site: Site) -> None:
    async with AsyncClient(shared_site.urls[0]) as client:
        run_id = await client.submit(example("linkedin-approval"))
        await until_asked(client, run_id)
        await client.abort(run_id, reason="no longer needed")
        with pytest.raises(RunNotCompleted, match="aborted"):
            await client.result(run_id)


async def test_a_refusal_says_what_is_wrong_and_where(shared_site: Site) -> None:
    async with AsyncClient(shared_site.urls[0]) as client:
        with pytest.raises(GatewayError) as refused:
            await client.submit({"objective": ""})
        assert (refused.value.status, refused.value.code) == (400, "invalid_body")
        with pytest.raises(GatewayError) as unknown:
            await client.show("01900000-0000-7000-8000-000000000001")
        assert unknown.value.status == 404


async def test_code_that_is_not_async_does_the_same(shared_site: Site) -> None:
    def run() -> tuple[list[str], Any]:
        with Client(shared_site.urls[0]) as client:
            run_id = client.submit(example("linkedin-approval"))
            types: list[str] = []
            for frame in client.stream(run_id):
                types.append(frame["type"])
                if frame["type"] == "hitl_request":
                    client.approve(run_id)
            return types, client.result(run_id)

    types, output = await asyncio.to_thread(run)
    assert types[-1] == "complete"
    assert output
