"""`runs/{id}/events`: a stream can always be continued, and pages say where the next one begins."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway, stream_of
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
ALL = [1, 2, 3, 4, 5, 6]


async def _finished_run(gateway: RunningGateway) -> str:
    run_id = await gateway.start_run()
    await ByHand(gateway.handler, run_id).to_the_end()
    return run_id


async def test_a_finished_run_is_told_from_any_point_without_gap_or_double(gateway: RunningGateway) -> None:
    run_id = await _finished_run(gateway)
    for cursor in range(6):
        async with stream_of(gateway, run_id, **{"Last-Event-ID": str(cursor)}) as by_header:
            assert (await by_header.to_end()).ids == ALL[cursor:]
        async with stream_of(gateway, run_id, f"?after={cursor}") as by_query:
            assert (await by_query.to_end()).frames == by_header.frames
        assert by_header.retries == by_query.retries == [1000]


async def test_whoever_has_everything_of_a_finished_run_gets_204(gateway: RunningGateway) -> None:
    run_id = await _finished_run(gateway)
    for query, headers in (
        ("", {"Last-Event-ID": "6"}),
        ("?after=6", {}),
        ("?after=1", {"Last-Event-ID": "6"}),
    ):
        answer, body = await gateway.get(
            f"{API}/runs/{run_id}/events{query}", **{"Accept": "text/event-stream", **headers}
        )
        assert (answer.status, body) == (204, None)


async def test_whoever_has_everything_of_a_run_that_goes_on_waits_for_more(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    async with stream_of(gateway, run_id, **{"Last-Event-ID": "1"}) as stream:
        await ByHand(gateway.handler, run_id).to_the_end()
        assert (await stream.to_end()).ids == ALL[1:]


async def test_the_header_counts_for_more_than_the_query(gateway: RunningGateway) -> None:
    run_id = await _finished_run(gateway)
    async with stream_of(gateway, run_id, "?after=1", **{"Last-Event-ID": "4"}) as stream:
        assert (await stream.to_end()).ids == [5, 6]


async def test_a_stream_stays_open_while_the_run_waits_for_a_person(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run(policies={"requiresHitlApproval": True})
    hand = ByHand(gateway.handler, run_id)
    async with stream_of(gateway, run_id) as stream:
        await hand.to_the_end()
        await stream.until(6)
        assert stream.types[-1] == "hitl_request"
        await hand.respond(stream.frames[-1]["payload"]["requestId"])
        assert (await stream.to_end()).types[-2:] == ["hitl_resolved", "complete"]


async def test_until_ends_a_stream_and_afterwards_there_is_nothing_left(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    async with stream_of(gateway, run_id, "?until=3") as stream:
        await ByHand(gateway.handler, run_id).planned()
        assert (await stream.to_end()).ids == [1, 2, 3]
    path = f"{API}/runs/{run_id}/events?until=3"
    answer, _ = await gateway.get(path, **{"Accept": "text/event-stream", "Last-Event-ID": "3"})
    assert answer.status == 204


async def test_an_idle_stream_gets_comments(start_gateway: Start) -> None:
    gateway = await start_gateway(ping_seconds=0.02)
    run_id = await gateway.start_run()
    async with stream_of(gateway, run_id) as stream:
        await stream.until_comment()
        assert set(stream.comments) == {b": ping"}
        await ByHand(gateway.handler, run_id).to_the_end()
        assert (await stream.to_end()).ids == ALL


async def test_many_readers_of_one_run_all_get_everything_in_order(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()

    async def read(after: int) -> list[int]:
        async with stream_of(gateway, run_id, f"?after={after}") as stream:
            return (await stream.to_end()).ids

    readers = [asyncio.create_task(read(number % 2)) for number in range(60)]
    await eventually(lambda: len(gateway.gateway.streams) == 60)
    hand = ByHand(gateway.handler, run_id)
    await asyncio.gather(*(hand.log(f"line {number}") for number in range(40)))
    await hand.to_the_end()
    for number, reader in enumerate(readers):
        assert await reader == list(range(1 + number % 2, 47))


async def test_a_stream_cut_again_and_again_is_whole_in_the_end(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    hand = ByHand(gateway.handler, run_id)
    writing = asyncio.gather(*(hand.log(f"line {number}") for number in range(60)))
    seen: list[int] = []
    while len(seen) < 61:
        async with stream_of(gateway, run_id, **{"Last-Event-ID": str(len(seen))}) as stream:
            await stream.until(1)
            seen += stream.ids
    await writing
    assert seen == list(range(1, 62))


async def test_a_stream_shows_what_another_process_appends(start_gateway: Start) -> None:
    here, there = await start_gateway(notified=True), await start_gateway(notified=True)
    run_id = await here.start_run()
    async with stream_of(here, run_id) as first, stream_of(there, run_id) as second:
        await first.until(1)
        await second.until(1)
        await ByHand(there.handler, run_id).to_the_end()
        assert (await first.to_end()).ids == (await second.to_end()).ids == ALL
        assert first.frames == second.frames


async def test_pages_say_where_to_go_on_and_when_it_is_over(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    await ByHand(gateway.handler, run_id).planned()
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?limit=2")
    assert [event["id"] for event in page["events"]] == ["1", "2"]
    assert (page["nextAfter"], page["complete"]) == (2, False)
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?limit=2&after=2")
    assert [event["id"] for event in page["events"]] == ["3"]
    assert (page["nextAfter"], page["complete"]) == (3, False)
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?after=3")
    assert page == {"events": [], "nextAfter": 3, "complete": False}
    await ByHand(gateway.handler, run_id).work()
    await ByHand(gateway.handler, run_id).deliver()
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?after=3&until=5")
    assert ([event["id"] for event in page["events"]], page["complete"]) == (["4", "5"], False)
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?after=3")
    assert (page["nextAfter"], page["complete"]) == (6, True)
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?after=6")
    assert page == {"events": [], "nextAfter": 6, "complete": True}


async def test_pages_and_frames_are_the_same_events(gateway: RunningGateway) -> None:
    run_id = await _finished_run(gateway)
    _, page = await gateway.get(f"{API}/runs/{run_id}/events")
    async with stream_of(gateway, run_id) as stream:
        assert (await stream.to_end()).frames == page["events"]


@pytest.mark.parametrize("accept", ["text/event-stream", "text/event-stream, */*;q=0.1", "TEXT/EVENT-STREAM"])
async def test_whoever_accepts_a_stream_gets_one(gateway: RunningGateway, accept: str) -> None:
    run_id = await _finished_run(gateway)
    async with stream_of(gateway, run_id, Accept=accept) as stream:
        assert stream.response.content_type == "text/event-stream"


async def test_a_run_id_may_be_written_in_capitals(gateway: RunningGateway) -> None:
    run_id = await _finished_run(gateway)
    async with stream_of(gateway, run_id.upper()) as stream:
        assert (await stream.to_end()).ids == ALL
