"""Readers of a run are notified that its request is about to expire."""

from datetime import timedelta

from runs.commands import ExpireRequest
from runs.event import parse_time
from tests.support.gateways import API, RunningGateway
from tests.support.people import resumed, waiting_for_approval


async def test_a_stream_that_waits_tells_of_the_end_and_goes_on_to_wait(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, expiresInSeconds=1_000)
    _, shown = await gateway.get(f"/api/hitl/requests/{waiting.request_id}")
    soon = parse_time(shown["expiresAt"]) - timedelta(seconds=200)
    async with resumed(gateway, waiting.run_id) as stream:
        await stream.until_picture()
        await gateway.handler.execute(waiting.run_id, ExpireRequest(now=soon, request_id=waiting.request_id))
        await stream.until(1)
        assert (await waiting.respond("approval", operator="ann"))[0] == 200
        await stream.to_end()
    assert stream.types == ["hitl_expiring", "hitl_resolved", "complete"]
    told = stream.frames[0]["payload"]
    assert (told["requestId"], told["expiresAt"]) == (waiting.request_id, shown["expiresAt"])
    _, page = await gateway.get(f"{API}/runs/{waiting.run_id}/events")
    assert page["events"][6] == stream.frames[0]
