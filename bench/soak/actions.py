"""What customers do during a run, each in reply to a frame; every 200 is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bench.soak.caller import Caller, CallerAnswer
from bench.soak.ledger import Told
from tests.support.followers import API

Frame = dict[str, Any]

TASK_DONE = {"output": {"approved": True, "comments": "Good to go."}}
"""What a person says of the drafts."""

VOTERS = ("ann", "ben")
_DONE_OR_OVER = (200, 409)
_VOTED = (200, 403, 409)
"""403 is `already_voted`: the first answer was lost on its way."""


@dataclass(slots=True)
class Visit:
    """One run as its customer sees it: which requests were met, in their order."""

    caller: Caller
    requests: list[str] = field(default_factory=list[str])

    def number_of(self, request_id: str) -> int:
        """0 for the first request of the run, 1 for the second."""
        if request_id not in self.requests:
            self.requests.append(request_id)
        return self.requests.index(request_id)

    async def control(self, run_id: str, what: str, operator: str) -> CallerAnswer:
        """Abort, pause or resume; 409 where the run is past it."""
        path = f"{API}/runs/{run_id}/{what}"
        return await self.caller.insist("POST", path, {"operator": operator}, _DONE_OR_OVER)

    async def respond(self, frame: Frame, response: dict[str, Any], operator: str) -> None:
        """One response to the request of this frame, in the name of `operator`."""
        run_id, request_id = frame["runId"], frame["payload"]["requestId"]
        body = {
            "runId": run_id,
            "operator": operator,
            "responses": [{"requestId": request_id, **response}],
        }
        answer = await self.caller.insist("POST", "/api/hitl/resume", body, _VOTED)
        if answer.status != 200:
            return
        (outcome,) = [each for each in answer.body["requests"] if each["requestId"] == request_id]
        if outcome["status"] == "pending":
            self.caller.ledger.tell(
                Told(run_id, f"{operator}'s vote", "log", detail={"vote": {"operator": operator}})
            )
        else:
            self.caller.ledger.tell(Told(run_id, "a decision", "hitl_resolved", {"requestId": request_id}))


Action = Callable[[Visit, Frame], Awaitable[None]]


async def approve(visit: Visit, frame: Frame) -> None:
    """Every reader who sees the question answers it: one of them counts, the others get 409."""
    if frame["type"] == "hitl_request":
        await visit.respond(frame, {"responseType": "approval"}, visit.caller.chance.choice(VOTERS))


async def approve_as_two(visit: Visit, frame: Frame) -> None:
    """A quorum of two."""
    if frame["type"] == "hitl_request":
        for voter in VOTERS:
            await visit.respond(frame, {"responseType": "approval"}, voter)


async def reject_once(visit: Visit, frame: Frame) -> None:
    """The first output is sent back, the second is approved."""
    if frame["type"] != "hitl_request":
        return
    if visit.number_of(frame["payload"]["requestId"]) == 0:
        await visit.respond(frame, {"responseType": "rejection", "note": "warmer, please"}, "ann")
    else:
        await visit.respond(frame, {"responseType": "approval"}, "ann")


async def abort(visit: Visit, frame: Frame) -> None:
    """As soon as something is at work."""
    if frame["type"] != "node_start":
        return
    answer = await visit.control(frame["runId"], "abort", "ann")
    if answer.status == 200:
        visit.caller.ledger.tell(Told(frame["runId"], "an abort", "complete", {"status": "aborted"}))


async def pause_for_a_moment(visit: Visit, frame: Frame) -> None:
    """Pause when there is a plan, resume a moment later."""
    if frame["type"] != "plan_generated":
        return
    answer = await visit.control(frame["runId"], "pause", "ann")
    if answer.status == 200:
        visit.caller.ledger.tell(Told(frame["runId"], "a pause", "run_paused", {"operator": "ann"}))
    await visit.caller.pause()
    answer = await visit.control(frame["runId"], "resume", "ben")
    if answer.status == 200:
        visit.caller.ledger.tell(Told(frame["runId"], "a resume", "run_resumed", {"operator": "ben"}))


async def do_the_task(visit: Visit, frame: Frame) -> None:
    """A person's node: look at the drafts, say that they are good."""
    if frame["type"] != "node_start" or frame["payload"].get("executorType") != "human":
        return
    run_id, node_id = frame["runId"], frame["nodeId"]
    listed = await visit.caller.insist("GET", f"{API}/tasks?runId={run_id}", None, (200,))
    for task in listed.body["tasks"]:
        body = {**TASK_DONE, "operator": "ann"}
        path = f"{API}/tasks/{task['taskId']}/submit"
        answer = await visit.caller.insist("POST", path, body, (200, 404, 409))
        if answer.status == 200:
            visit.caller.ledger.tell(
                Told(run_id, "a submitted task", "node_complete", {"operator": "ann"}, node_id=node_id)
            )


async def wait(_visit: Visit, _frame: Frame) -> None:
    """Do nothing: the clock decides."""
