"""Where a stream continues: the ways to give its position, and the answer to a repeated POST."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.app import ENDPOINTS
from gateway.streams.accept import wants_stream
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway, SseReader, stream_of
from tests.support.people import resumed, waiting_for_approval
from tests.support.raw_http import ask_raw
from tests.support.waiting import eventually

NOWHERE = "01900000-0000-7000-8000-00000000dead"
SSE = {"Accept": "text/event-stream"}


@asynccontextmanager
async def posted(gateway: RunningGateway, query: str = "", **headers: str) -> AsyncIterator[SseReader]:
    """A stream of `run.stream` with a query."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{gateway.url}{API}/run.stream{query}"
    async with gateway.http.post(url, json=ENVELOPE, headers=sent) as response:
        assert response.status == 200, await response.text()
        yield SseReader(response)


async def _finished_run(gateway: RunningGateway) -> str:
    run_id = await gateway.start_run()
    await ByHand(gateway.handler, run_id).to_the_end()
    return run_id


@pytest.mark.parametrize(
    ("query", "header", "first"),
    [
        ("?lastEventId=4", None, 5),
        ("?after=1&lastEventId=4", None, 5),
        ("?after=latest&lastEventId=2", None, 3),
        ("?lastEventId=1", "4", 5),
        ("?after=latest", "3", 4),
    ],
)
async def test_the_newest_word_of_a_client_that_reconnects_counts(
    gateway: RunningGateway, query: str, header: str | None, first: int
) -> None:
    run_id = await _finished_run(gateway)
    headers = {"Last-Event-ID": header} if header else {}
    async with stream_of(gateway, run_id, query, **headers) as stream:
        assert (await stream.to_end()).ids == list(range(first, 7))


async def test_latest_is_the_tail_only(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    hand = ByHand(gateway.handler, run_id)
    await hand.planned()
    async with stream_of(gateway, run_id, "?after=latest") as stream:
        await eventually(lambda: len(gateway.gateway.streams) == 1)
        await hand.work()
        await hand.deliver()
        assert (await stream.to_end()).ids == [4, 5, 6]
    answer, _ = await gateway.get(f"{API}/runs/{run_id}/events?after=latest", **SSE)
    assert answer.status == 204
    _, page = await gateway.get(f"{API}/runs/{run_id}/events?after=latest")
    assert page == {"events": [], "nextAfter": 6, "complete": True}


@pytest.mark.parametrize(
    "query", ["?after=x", "?lastEventId=", "?lastEventId=-1", "?after=Latest", "?from=3"]
)
async def test_a_cursor_that_is_none_and_a_parameter_that_is_none_are_refused(
    gateway: RunningGateway, query: str
) -> None:
    waiting = await waiting_for_approval(gateway)
    approved = {"responses": [{"responseType": "approval", "requestId": waiting.request_id}]}
    before = await gateway.rows()
    for answer, problem in (
        await gateway.get(f"{API}/runs/{waiting.run_id}/events{query}", **SSE),
        await gateway.post(f"{API}/run.stream{query}", ENVELOPE),
        await gateway.post(
            f"{API}/run.resume{query}", {"runId": waiting.run_id, "payload": approved}, Last_Event_ID=""
        ),
    ):
        assert (answer.status, problem["code"]) == (400, "query_invalid")
    assert await gateway.rows() == before, "refused before anything is started or decided"


async def test_a_cursor_beyond_the_end_is_refused_before_anything_is_decided(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    payload = {"requestId": waiting.request_id, "responses": [{"responseType": "approval"}]}
    body = {"runId": waiting.run_id, "payload": payload}
    answer, problem = await gateway.post(f"{API}/run.resume", body, Last_Event_ID="99")
    assert (answer.status, problem["code"]) == (400, "last_event_id_beyond_end")
    assert (await gateway.store.load(waiting.run_id, fresh=True)).open_requests
    async with resumed(gateway, waiting.run_id, {"payload": payload}, Last_Event_ID="5") as stream:
        assert (await stream.to_end()).ids == [6, 7, 8]


async def test_no_endpoint_passes_over_a_parameter_that_it_does_not_know(gateway: RunningGateway) -> None:
    for endpoint in (each for each in ENDPOINTS if not each.open):
        url = f"{gateway.url}{_somewhere(endpoint.path)}?no_such=1"
        async with gateway.http.request(endpoint.method.upper(), url, data=b"{}") as answer:
            problem = await answer.json()
        assert (answer.status, problem["code"]) == (400, "query_invalid"), endpoint.name
        assert "no_such" in problem["detail"]


@pytest.mark.parametrize(
    "cursor", [{"Last-Event-ID": "3"}, {"query": "?after=3"}, {"query": "?after=latest"}]
)
async def test_a_repeated_post_starts_no_second_run_and_is_told_what_to_do(
    gateway: RunningGateway, cursor: dict[str, str]
) -> None:
    query = cursor.pop("query", "")
    await gateway.start_run()
    before = await gateway.rows()
    for key in ({}, {"Idempotency-Key": "never used"}):
        answer, problem = await gateway.post(f"{API}/run.stream{query}", ENVELOPE, **cursor, **key)
        assert (answer.status, problem["code"]) == (400, "last_event_id_of_no_run")
        for way in ("/events", "Idempotency-Key", "constraints.resumeRunId"):
            assert way in problem["detail"]
    assert await gateway.rows() == before


async def test_with_its_idempotency_key_a_repeated_post_reads_on(gateway: RunningGateway) -> None:
    async with posted(gateway, Idempotency_Key="k", Last_Event_ID="0") as stream:
        await stream.until(1)
        run_id = stream.frames[0]["runId"]
    await ByHand(gateway.handler, run_id).to_the_end()
    async with posted(gateway, Idempotency_Key="k", Last_Event_ID="4") as stream:
        assert (await stream.to_end()).ids == [5, 6]
        assert stream.response.headers["X-Run-Id"] == run_id
    async with posted(gateway, "?lastEventId=5", Idempotency_Key="k") as stream:
        assert (await stream.to_end()).ids == [6]
    answer, problem = await gateway.post(
        f"{API}/run.stream", {**ENVELOPE, "objective": "other"}, Idempotency_Key="k", Last_Event_ID="4"
    )
    assert (answer.status, problem["code"]) == (422, "idempotency_key_reused")
    assert (await gateway.rows())["flex_runs"] == 1


async def test_head_of_a_stream_is_its_head_and_opens_none(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    request = f"HEAD {API}/runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n\r\n"
    stream = await ask_raw(gateway.port, (request % "text/event-stream").encode())
    assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
    assert stream.headers["x-run-id"] == run_id
    page = await ask_raw(gateway.port, (request % "application/json").encode())
    assert (page.status, page.headers["content-type"]) == (200, "application/json")
    assert len(gateway.gateway.streams) == 0


async def test_every_endpoint_answers_options_and_head(start_gateway: Callable[..., Any]) -> None:
    gateway: RunningGateway = await start_gateway(broker=True)
    for path in {endpoint.path for endpoint in ENDPOINTS}:
        methods = {each.method.upper() for each in ENDPOINTS if _may_be(each.path, path)}
        methods |= {"HEAD"} if "GET" in methods else set()
        async with gateway.http.options(gateway.url + _somewhere(path)) as answer:
            assert answer.status == 204, path
            assert set(answer.headers["Allow"].split(", ")) == methods | {"OPTIONS"}
        async with gateway.http.head(gateway.url + _somewhere(path)) as answer:
            assert (answer.status == 405) == ("HEAD" not in methods), path
            assert answer.status < 500


def _may_be(pattern: str, path: str) -> bool:
    """Whether an address of `path` is one of `pattern` too, such as `/capabilities/register` of a capability's."""
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path) is not None


def _somewhere(path: str) -> str:
    return re.sub(r"{\w+}", NOWHERE, path)


async def test_options_of_nothing_is_not_found(gateway: RunningGateway) -> None:
    async with gateway.http.options(f"{gateway.url}/nothing") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream; Q=0.000, */*", False),
        ("text/html, application/xhtml+xml, */*;q=0.8", False),
        ("application/json, text/event-stream;q=0.5", False),
        ("text/event-streams", False),
        ("text/event-stream", True),
        ("Text/Event-Stream", True),
        ("text/event-stream;charset=utf-8", True),
        ("text/event-stream;charset=utf-8;q=0.1", True),
        ("application/json, text/event-stream", True),
        ("text/event-stream, */*;q=0.1", True),
        ("text/*", True),
    ],
)
async def test_accept_is_read_with_its_weights(accept: str, streams: bool) -> None:
    assert wants_stream(accept) == streams


async def test_a_stream_that_is_refused_by_its_weight_is_a_page(gateway: RunningGateway) -> None:
    run_id = await _finished_run(gateway)
    answer, page = await gateway.get(f"{API}/runs/{run_id}/events", Accept="text/event-stream;q=0")
    assert (answer.content_type, page["complete"]) == ("application/json", True)
