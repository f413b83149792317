"""Who may read runs without `runs:payload` sees them, and nothing of what they hold, whichever operation is asked.

A word stands wherever a run holds payload. Every operation of the application is asked for runs of each kind by who has
every scope but that one: the word is in none of the answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gateway.app import ENDPOINTS
from gateway.endpoint import MASKED_AT_ONCE_BYTES
from gateway.people.inbox import HitlInbox
from gateway.streams.partial_feed import DELTA_TYPE
from runs import commands as c
from runs.frames import frame
from schemas.events import check_frame
from schemas.tokens import SCOPES
from schemas.withheld import WITHHELD, WITHHELD_TEXT, frame_without_payload
from tests.golden.logs.record import LOGS, read_log
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway, run_stream, stream_of
from tests.support.people import resumed
from tests.support.who_may_what import CANARY, ENVELOPE, Asked, Made, answer_to, asked

Start = Callable[..., Awaitable[RunningGateway]]

pytestmark = pytest.mark.timeout(300)

BLIND = {"Authorization": "Bearer token-of-blind"}
ADA = {"Authorization": "Bearer token-of-ada"}
EVERYTHING_ELSE = [scope for scope in SCOPES if scope not in {"runs:payload", "admin"}]
TOKENS = "token-of-blind=blind:@blind;token-of-ada=ada:@admin"
ROLES = f"blind={','.join(EVERYTHING_ELSE)}"


@pytest.fixture
async def gateway(start_gateway: Start) -> RunningGateway:
    settings: dict[str, Any] = {"broker": True, "notified": True, "webhook_allow_private": True}
    return await start_gateway(tokens=TOKENS, roles=ROLES, **settings)


@pytest.fixture
async def made(gateway: RunningGateway) -> AsyncIterator[Made]:
    broker = gateway.gateway.deps.broker
    assert broker is not None
    inbox = HitlInbox.over(gateway.gateway.deps, broker)
    await inbox.start()
    yield Made(gateway, broker, ADA, ADA)
    await inbox.close()


async def _of_each_kind(made: Made) -> dict[str, str]:
    return {
        "waits": await made.run_id(),
        "asks": (await made.question())[0],
        "failed": await made.failed(),
        "completed": await made.completed(),
        "task": (await made.task_id())[:36],
    }


async def test_no_operation_shows_payload_to_who_may_not_see_it(made: Made) -> None:
    runs = await _of_each_kind(made)
    failing = Asked({"capability_id": made.last_capability_id})
    shown: set[str] = set()
    for endpoint in ENDPOINTS:
        if endpoint.open or "admin" in endpoint.needs or "runs:payload" in endpoint.needs:
            continue
        requests = [await asked(endpoint, made)]
        if "{run_id}" in endpoint.path and endpoint.method == "get":
            requests += [Asked({"run_id": run_id}, requests[0].query) for run_id in runs.values()]
        if endpoint.name == "showCapability":
            requests.append(failing)
        for request in requests:
            if endpoint.method == "get":
                _, raw = await answer_to(made.gateway, endpoint, request, ADA)
                shown |= {endpoint.name} if CANARY.encode() in raw else set()
            status, raw = await answer_to(made.gateway, endpoint, request, BLIND)
            assert status < 500, (endpoint.name, raw)
            own = endpoint.name in {"planEnvelope", "claimWork"}
            assert own or CANARY.encode() not in raw, (endpoint.name, raw.decode())
    assert shown >= {
        "listRuns", "showRun", "readEvents", "showRunState", "showCapability", "listPendingRequests", "showRequest",
        "listTasks", "showTask", "showDeadLetter",
    }  # fmt: skip


async def test_a_stream_without_payload_has_the_same_frames_at_the_same_places(made: Made) -> None:
    for run_id in (await _of_each_kind(made)).values():
        _, page = await made.gateway.get(f"{API}/runs/{run_id}/events", **ADA)
        until = f"?until={len(page['events'])}"
        async with stream_of(made.gateway, run_id, until, **BLIND) as stream:
            frames = (await stream.to_end()).frames
        _, masked = await made.gateway.get(f"{API}/runs/{run_id}/events", **BLIND)
        assert frames == masked["events"]
        assert CANARY not in str(frames)
        places = ("id", "type", "timestamp", "runId", "nodeId", "planVersion")
        assert [[each.get(name) for name in places] for each in frames] == [
            [each.get(name) for name in places] for each in page["events"]
        ]
        for each in frames:
            check_frame(each)
        middle = f"{until}&after=2"
        async with stream_of(made.gateway, run_id, middle, **BLIND) as stream:
            assert (await stream.to_end()).frames == frames[2:]


async def test_the_streams_of_starting_and_resuming_a_run_show_none_either(made: Made) -> None:
    gateway = made.gateway
    async with run_stream(gateway, ENVELOPE, **BLIND) as stream:
        start = (await stream.until_type("start")).frames[0]
    assert start["payload"]["objective"] == WITHHELD_TEXT
    run_id = await made.run_id()
    async with resumed(gateway, run_id, **BLIND) as stream:
        (picture,) = (await stream.until_picture()).pictures
        assert picture["payload"]["metadata"] == WITHHELD
        await gateway.post(f"{API}/runs/{run_id}/abort", {"reason": "enough"}, **ADA)
        await stream.until_type("complete")
    assert CANARY not in str(stream.frames) + str(stream.pictures)


async def test_no_pieces_of_outputs_are_sent_to_who_may_not_see_them(made: Made) -> None:
    gateway = made.gateway
    token = await made.attempt_token()
    _, work = await gateway.get(f"{API}/work?state=running", **ADA)
    run_id = work["work"][-1]["runId"]
    async with (
        stream_of(gateway, run_id, "?deltas=true", **BLIND) as blind,
        stream_of(gateway, run_id, "?deltas=true", **ADA) as sighted,
    ):
        await gateway.post(f"{API}/work/{token}/delta", {"text": f"a piece of {CANARY}"})
        (delta,) = (await sighted.until_picture()).pictures
        assert delta["type"] == DELTA_TYPE
        await ByHand(gateway.handler, run_id).do(c.AbortRun, actor=c.Actor("ada"))
        await blind.until_type("complete")
    assert blind.pictures == []
    assert CANARY not in str(blind.frames)


async def test_what_hands_payload_on_is_refused(made: Made) -> None:
    run_id, request_id = await made.request()
    refused = [
        await made.gateway.get(f"{API}/runs/{run_id}/export", **BLIND),
        await made.gateway.get(f"{API}/runs?objective={CANARY}", **BLIND),
        await made.gateway.post("/api/hitl/link", {"requestId": request_id}, **BLIND),
        await made.gateway.post(
            f"{API}/webhooks", {"url": "http://127.0.0.1:9/", "eventTypes": ["start"]}, **BLIND
        ),
    ]
    assert [(answer.status, body["code"]) for answer, body in refused] == [(403, "not_permitted")] * 4
    assert all("'runs:payload'" in body["detail"] for _, body in refused)


async def test_a_run_is_shown_with_markers_in_the_place_of_what_it_holds(made: Made) -> None:
    run_id = await made.completed()
    _, run = await made.gateway.get(f"{API}/runs/{run_id}", **BLIND)
    assert (run["envelope"], run["output"], run["objective"]) == (WITHHELD, WITHHELD, WITHHELD_TEXT)
    (node,) = run["nodes"]
    assert (node["id"], node["status"], node["output"]) == ("a", "completed", WITHHELD)
    _, failed = await made.gateway.get(f"{API}/runs/{await made.failed()}", **BLIND)
    assert (failed["error"]["code"], failed["error"]["message"]) == ("node_failed", WITHHELD_TEXT)
    request_id = (await made.question())[1]
    _, request = await made.gateway.get(f"/api/hitl/requests/{request_id}", **BLIND)
    assert (request["question"], request["options"]) == (WITHHELD_TEXT, [{"id": "x", "label": WITHHELD_TEXT}])


@pytest.mark.parametrize("name", LOGS)
def test_frames_of_recorded_runs_are_frames_without_their_payload_too(name: str) -> None:
    for event in read_log(name):
        masked = frame_without_payload(frame(event))
        check_frame(masked)
        assert masked["id"] == str(event.seq)


async def test_a_large_answer_is_without_payload_too(made: Made) -> None:
    run_id = await made.large()
    _, whole = await made.gateway.get(f"{API}/runs/{run_id}", **ADA)
    assert len(str(whole)) > 2 * MASKED_AT_ONCE_BYTES
    _, run = await made.gateway.get(f"{API}/runs/{run_id}", **BLIND)
    assert run["nodes"][0]["output"] == WITHHELD
    assert CANARY not in str(run)
