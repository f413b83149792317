"""A frame is the same, byte for byte, for all its readers, so that readers and caches can compare."""

from collections.abc import Awaitable, Callable

from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway

OUTPUT = {
    "zeta": 1,
    "b": {"yes": True, "a": [{"long name": None, "x": 1.5}]},
    "Ä": "é\u2028",
    "10": 1,
    "9": 2,
}


async def test_a_frame_has_the_same_bytes_when_it_happens_and_when_it_is_read_again(
    start_gateway: Callable[..., Awaitable[RunningGateway]],
) -> None:
    here, elsewhere = await start_gateway(), await start_gateway()
    async with here.http.post(f"{here.url}{API}/run.stream", json=ENVELOPE) as response:
        run = ByHand(here.handler, response.headers["X-Run-Id"])
        await run.planned()
        await run.work(output=OUTPUT)
        await run.deliver(OUTPUT)
        live = await response.read()
    assert b"event: complete" in live
    for gateway in (here, elsewhere):
        headers = {"Accept": "text/event-stream"}
        async with gateway.http.get(
            f"{gateway.url}{API}/runs/{run.run_id}/events", headers=headers
        ) as response:
            assert await response.read() == live
