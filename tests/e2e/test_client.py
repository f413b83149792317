"""The client that the commands use, against gateways that behave oddly."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web

from flexrun.client import GatewayClient, pause_seconds

RUN_ID = "01900000-0000-7000-8000-000000000001"
LAST = 9


@asynccontextmanager
async def gateway_of_short_streams(streams: Sequence[int | None]) -> AsyncIterator[tuple[str, list[int]]]:
    """A gateway each of whose streams ends after one frame, or (None) without any; where each was asked to begin."""
    asked: list[int] = []

    async def events(request: web.Request) -> web.StreamResponse:
        seq = streams[len(asked)]
        asked.append(int(request.headers["Last-Event-ID"]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 1000\n")
        if seq is not None:
            frame = {"id": str(seq), "type": "complete" if seq == LAST else "log"}
            await response.write(b": ping\nevent: x\ndata: %b\nid: %d\n\n" % (orjson.dumps(frame), seq))
        return response

    app = web.Application()
    app.router.add_get(f"/api/v1/flex/runs/{RUN_ID}/events", events)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_streams_that_end_at_once_are_asked_for_again_after_pauses_that_grow() -> None:
    pauses: list[int] = []

    async def pause(attempt: int) -> None:
        pauses.append(attempt)

    streams = [*[None] * 10, 1, *[None] * 3, LAST]
    async with (
        gateway_of_short_streams(streams) as (url, asked),
        GatewayClient(url, pause=pause) as client,
    ):
        assert [frame["id"] async for frame in client.frames(RUN_ID)] == ["1", "9"]
    assert asked == [*[0] * 11, *[1] * 4]
    assert pauses == [*range(1, 11), *range(1, 5)]


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 0.1), (2, 0.2), (3, 0.4), (5, 1.6), (6, 2.0), (10**6, 2.0)]
)
def test_a_pause_grows_up_to_two_seconds_and_chance_spreads_it(attempt: int, longest: float) -> None:
    assert pause_seconds(attempt, 0.0) == 0.0
    assert pause_seconds(attempt, 0.5) == pytest.approx(longest / 2)
    assert pause_seconds(attempt, 1.0) == pytest.approx(longest)
