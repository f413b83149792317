"""Runs that wait for people, and people who answer over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from runs.commands import RequestClarification
from runs.event import Event
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway, SseReader

OUTPUT = {"text": "hello"}
WRONG = {"words": 2}

ANN, BOB, SUE = "Bearer token-of-ann", "Bearer token-of-bob", "Bearer token-of-sue"
TOKENS = "token-of-ann=ann:editor;token-of-bob=bob:legal;token-of-sue=sue;token-of-mailer=mailer:links"


@dataclass(frozen=True)
class Waiting:
    """A run with an open request, at a gateway."""

    gateway: RunningGateway
    run_id: str
    request_id: str

    async def respond(
        self, response_type: str, *, by: str | None = None, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        """Post one response; status and body of the answer. Fields that are no part of a response go beside it."""
        parts = ("approved", "selectedOptionId", "freeformText", "editedOutput")
        response = {
            "responseType": response_type,
            **{key: value for key, value in more.items() if key in parts},
        }
        around = {key: value for key, value in more.items() if key not in parts}
        body = {"runId": self.run_id, "requestId": self.request_id, "responses": [response], **around}
        headers = {"Authorization": by} if by is not None else {}
        answer, document = await self.gateway.post("/api/hitl/resume", body, **headers)
        return answer.status, document

    async def events(self, *types: str) -> list[Event]:
        """The run's events, of these types if any are given."""
        return [
            event for event in await self.gateway.store.read(self.run_id) if not types or event.type in types
        ]

    async def types(self) -> list[str]:
        return [event.type for event in await self.events()]

    async def status(self) -> str:
        return (await self.gateway.store.load(self.run_id, fresh=True)).status

    def by_hand(self) -> ByHand:
        return ByHand(self.gateway.handler, self.run_id)


async def waiting_for_approval(
    gateway: RunningGateway, *, by: str | None = None, thread: str | None = None, **hitl: Any
) -> Waiting:
    """A run of one node whose output waits for a person under these rules, after events 1 to 6."""
    envelope: dict[str, Any] = {
        "objective": "Say hello",
        "outputContract": {"schema": {"type": "object", "required": ["text"]}},
        "policies": {"requiresHitlApproval": True, **({"hitl": hitl} if hitl else {})},
    }
    if thread is not None:
        envelope["constraints"] = {"threadId": thread}
    headers = {"Authorization": by} if by is not None else {}
    answer, body = await gateway.post(f"{API}/runs", envelope, **headers)
    assert answer.status == 202, body
    run = ByHand(gateway.handler, body["runId"])
    await run.planned()
    await run.work()
    outcome = await run.deliver(OUTPUT)
    (request,) = outcome.state.open_requests
    return Waiting(gateway, run.run_id, request.id)


async def waiting_for_plan_approval(gateway: RunningGateway, **hitl: Any) -> Waiting:
    """A run whose plan of one node waits for a person under these rules."""
    run = ByHand(gateway.handler, await gateway.start_run(policies={"hitl": {"plan": True, **hitl}}))
    await run.planned()
    (request,) = (await gateway.store.load(run.run_id, fresh=True)).open_requests
    return Waiting(gateway, run.run_id, request.id)


async def asked(gateway: RunningGateway, run: ByHand, node_id: str, **question: Any) -> Waiting:
    """Have a running node of the run ask a question."""
    outcome = await run.do(
        RequestClarification, node_id=node_id, attempt=1, **{"question": f"{node_id}?", **question}
    )
    (request,) = [each for each in outcome.state.open_requests if each.node_id == node_id]
    return Waiting(gateway, run.run_id, request.id)


@asynccontextmanager
async def resumed(
    gateway: RunningGateway, run_id: str, body: Any = None, **headers: str
) -> AsyncIterator[SseReader]:
    """An open stream on `run.resume`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = orjson.dumps({"runId": run_id, **(body or {})})
    url = f"{gateway.url}{API}/run.resume"
    async with gateway.http.post(url, data=raw, headers=sent) as response:
        assert response.status == 200, await response.text()
        yield SseReader(response)
