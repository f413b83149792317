"""`run.stream` and `runs`: an envelope in, frames out."""

import asyncio
from typing import Any

import orjson

from runs.commands import FailNode
from schemas.events import check_frame
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway, run_stream, stream_of
from tests.support.given import node
from tests.support.waiting import eventually


async def test_the_first_bytes_hold_the_headers_and_the_start_frame(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    body = orjson.dumps(ENVELOPE)
    writer.write(
        b"POST /api/v1/flex/run.stream HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, deflate, br\r\n"
        b"X-Correlation-Id: corr-1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    first = await reader.read(65_536)
    head, _, stream = first.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert status == "HTTP/1.1 200 OK"
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["X-Correlation-Id"] == "corr-1"
    assert headers["Transfer-Encoding"] == "chunked"
    assert "Content-Encoding" not in headers
    size, _, chunk = stream.partition(b"\r\n")
    assert int(size, 16) == len(chunk) - 2
    retry, kind, data, last, *rest = chunk.removesuffix(b"\r\n").split(b"\n")
    assert (retry, kind, last, rest) == (b"retry: 1000", b"event: start", b"id: 1", [b"", b""])
    frame = orjson.loads(data.removeprefix(b"data: "))
    assert frame["runId"] == headers["X-Run-Id"] == frame["payload"]["runId"] == frame["payload"]["threadId"]
    assert frame["correlationId"] == "corr-1"
    assert "envelope" not in frame["payload"], "the envelope is in runs/{id}"
    writer.close()


async def test_every_frame_of_a_run_comes_in_order_and_complete_ends_the_stream(
    gateway: RunningGateway,
) -> None:
    async with run_stream(gateway) as stream:
        run_id = stream.response.headers["X-Run-Id"]
        await ByHand(gateway.handler, run_id).to_the_end()
        await stream.to_end()
    assert stream.types == [
        "start",
        "plan_requested",
        "plan_generated",
        "node_start",
        "node_complete",
        "complete",
    ]
    assert stream.ids == [1, 2, 3, 4, 5, 6]
    assert stream.retries == [1000]
    for frame in stream.frames:
        check_frame(frame)
    assert stream.frames[-1]["payload"] == {"status": "completed", "output": {"text": "hello"}}


async def test_text_of_every_kind_stays_on_its_one_data_line(gateway: RunningGateway) -> None:
    text = "line\nbreak\r\n\u2028 separator \u2029 \u0085 é 😀 \x7f: data: id: 7"
    async with run_stream(gateway, {**ENVELOPE, "objective": text}) as stream:
        run_id = stream.response.headers["X-Run-Id"]
        await ByHand(gateway.handler, run_id).log(text)
        await stream.until(2)
        await ByHand(gateway.handler, run_id).to_the_end()
        await stream.to_end()
    assert stream.frames[0]["payload"]["objective"] == text
    assert stream.frames[1]["payload"]["message"] == text
    async with stream_of(gateway, run_id) as again:
        lines = (await again.response.text()).splitlines()
    fields = [line.partition(":")[0] for line in lines]
    assert fields == ["retry", *(["event", "data", "id", ""] * 7)], (
        "as Python and its HTTP clients break lines"
    )


async def test_the_stream_ends_with_the_frame_after_which_the_run_waits_for_a_person(
    gateway: RunningGateway,
) -> None:
    envelope = {**ENVELOPE, "policies": {"requiresHitlApproval": True}}
    async with run_stream(gateway, envelope) as stream:
        await ByHand(gateway.handler, stream.response.headers["X-Run-Id"]).to_the_end()
        await stream.to_end()
    assert stream.types[-1] == "hitl_request"


async def test_a_stream_goes_on_while_another_branch_works(gateway: RunningGateway) -> None:
    asking = node("a", contract={"maxAttempts": 1, "fallback": "hitl"})
    async with run_stream(gateway) as stream:
        hand = ByHand(gateway.handler, stream.response.headers["X-Run-Id"])
        await hand.planned(asking, node("b"))
        await hand.start("a")
        await hand.start("b")
        await hand.do(FailNode, node_id="a", attempt=1, error_code="boom", message="it broke")
        await stream.until(7)
        assert stream.types[-1] == "hitl_request"
        await hand.log("b is still at it")
        await stream.until(8)
        await hand.complete("b")
        await stream.to_end()
    assert stream.types[-1] == "node_complete"
    state = await gateway.store.load(stream.response.headers["X-Run-Id"])
    assert state.status == "awaiting_hitl"


async def test_a_node_for_a_person_ends_the_stream_too(gateway: RunningGateway) -> None:
    async with run_stream(gateway) as stream:
        hand = ByHand(gateway.handler, stream.response.headers["X-Run-Id"])
        await hand.planned(node("a", agentType="human"))
        await hand.start("a")
        await stream.to_end()
    assert stream.types[-1] == "node_start"


async def test_an_answer_that_came_at_once_does_not_end_the_stream_late(gateway: RunningGateway) -> None:
    envelope = {**ENVELOPE, "policies": {"requiresHitlApproval": True}}
    _, run = await gateway.post(f"{API}/runs", envelope, Idempotency_Key="k")
    hand = ByHand(gateway.handler, run["runId"])
    await hand.to_the_end()
    request_id = (await gateway.store.load(run["runId"])).open_requests[0].id
    await hand.respond(request_id)
    async with run_stream(gateway, envelope, Idempotency_Key="k") as stream:
        await stream.to_end()
    assert stream.types[-3:] == ["hitl_request", "hitl_resolved", "complete"], "that wait is history"


async def test_resume_run_id_attaches_to_that_run_and_starts_none(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    envelope = {**ENVELOPE, "constraints": {"resumeRunId": run_id}}
    async with run_stream(gateway, envelope) as stream:
        assert stream.response.headers["X-Run-Id"] == run_id
        await stream.until(1)
        await ByHand(gateway.handler, run_id).to_the_end()
        await stream.to_end()
    assert stream.ids == [1, 2, 3, 4, 5, 6]
    assert (await gateway.rows())["flex_runs"] == 1
    answer, _ = await gateway.post(f"{API}/run.stream", envelope, Last_Event_ID="6")
    assert answer.status == 204
    answer, problem = await gateway.post(f"{API}/run.stream", envelope, Last_Event_ID="7")
    assert (answer.status, problem["code"]) == (400, "last_event_id_beyond_end")
    unknown = {**ENVELOPE, "constraints": {"resumeRunId": "nobody"}}
    answer, problem = await gateway.post(f"{API}/run.stream", unknown)
    assert (answer.status, problem["code"]) == (404, "run_unknown")


async def test_an_attached_stream_stops_at_the_present_wait_and_not_at_one_in_the_past(
    gateway: RunningGateway,
) -> None:
    envelope = {**ENVELOPE, "policies": {"requiresHitlApproval": True, "hitl": {"onReject": "rerun"}}}
    run_id = await gateway.start_run(**envelope)
    hand = ByHand(gateway.handler, run_id)
    await hand.to_the_end()
    first = (await gateway.store.load(run_id)).open_requests[0].id
    await hand.respond(first, "rejection", note="again")
    attached = {**ENVELOPE, "constraints": {"resumeRunId": run_id}}
    async with run_stream(gateway, attached) as stream:
        await stream.until(7)
        await hand.start("a", attempt=2)
        await hand.complete("a", attempt=2)
        await hand.deliver()
        await stream.to_end()
    assert stream.types.count("hitl_request") == 2
    assert stream.types[-1] == "hitl_request"


async def test_runs_answers_at_once_with_where_to_look(gateway: RunningGateway) -> None:
    answer, body = await gateway.post(f"{API}/runs", {**ENVELOPE, "constraints": {"threadId": "thread-7"}})
    assert answer.status == 202
    assert body == {
        "runId": body["runId"],
        "status": "pending",
        "threadId": "thread-7",
        "eventsUrl": f"{API}/runs/{body['runId']}/events",
    }
    assert answer.headers["Location"] == f"{API}/runs/{body['runId']}"
    assert answer.headers["X-Run-Id"] == body["runId"]


async def test_the_body_is_json_whatever_its_content_type_says(gateway: RunningGateway) -> None:
    for content_type in (
        "application/x-www-form-urlencoded",
        "text/plain; charset=utf-8",
        "application/json",
    ):
        answer, _ = await gateway.post(f"{API}/runs", ENVELOPE, Content_Type=content_type)
        assert answer.status == 202


async def test_every_mode_of_contract_starts_a_run_and_has_a_hash(gateway: RunningGateway) -> None:
    contracts: list[Any] = [
        {"mode": "freeform", "instructions": "A haiku"},
        {"mode": "facets", "facets": ["post_copy", "review"]},
        {"schema": {"type": ["object", "string"]}},
        {"schema": {"type": "string", "pattern": "^(?!draft)"}},
    ]
    for contract in contracts:
        run_id = await gateway.start_run(outputContract=contract)
        assert (await gateway.store.load(run_id)).schema_hash


async def test_a_reader_that_leaves_cancels_nothing(gateway: RunningGateway) -> None:
    async with run_stream(gateway) as stream:
        run_id = stream.response.headers["X-Run-Id"]
        await eventually(lambda: len(gateway.gateway.streams) == 1)
    await eventually(
        lambda: len(gateway.gateway.streams) == 0, describe="the stream's end was noticed at once"
    )
    await ByHand(gateway.handler, run_id).to_the_end()
    assert (await gateway.store.load(run_id)).status == "completed"


async def test_a_caller_that_leaves_in_the_middle_of_the_append_has_its_run_all_the_same(
    gateway: RunningGateway,
) -> None:
    body = orjson.dumps(ENVELOPE)
    request = b"POST /api/v1/flex/run.stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(request % (len(body), body))
        await writer.drain()
        writer.transport.abort()
    await gateway.gateway.finish_writes()
    rows = await gateway.rows()
    assert rows["flex_events"] == rows["flex_runs"] == rows["flex_work"]
    assert await gateway.start_run()
