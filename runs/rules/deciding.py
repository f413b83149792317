"""People's decisions. Every door obeys these rules, because they are here and nowhere else."""

from __future__ import annotations

from typing import Any

from runs import commands as c
from runs.draft import Draft
from runs.errors import (
    NotAllowed,
    RequestExpired,
    RequestResolved,
    RequestUnknown,
    ResponseInvalid,
    RunFinished,
)
from runs.event import Json, JsonObject
from runs.rules.access import check_allowed, check_plan_version, claimed_detail, operator_name
from runs.state import RequestState


def _open_request(draft: Draft, request_id: str) -> RequestState:
    request = draft.state.requests.get(request_id)
    if request is None:
        raise RequestUnknown(f"run {draft.state.run_id} has no request {request_id}", requestId=request_id)
    if not request.open:
        raise RequestResolved(
            f"request {request_id} was {request.decision} by {request.operator}",
            requestId=request_id,
            decision=request.decision,
        )
    if draft.state.finished:
        raise RunFinished(f"run {draft.state.run_id} is {draft.state.status}", status=draft.state.status)
    # The timer may be late, after a night without any process for instance; the request's time is over all the same.
    if request.expires_at is not None and draft.now >= request.expires_at:
        raise RequestExpired(f"request {request_id} has expired", requestId=request_id)
    return request


def resolve_request(draft: Draft, command: c.ResolveRequest) -> None:
    """Apply a person's response, if this person may give it and the request still waits."""
    request = _open_request(draft, command.request_id)
    check_plan_version(draft.state, command.expected_plan_version)
    check_allowed(draft.state, request, command)
    _RESPONSES[command.response_type](draft, request, command)


def _resolve(
    draft: Draft, request: RequestState, command: Any, decision: str, detail: JsonObject | None = None
) -> None:
    operator = operator_name(command)
    payload: JsonObject = {
        "requestId": request.id,
        "decision": decision,
        "operator": operator,
        "note": command.note,
    }
    facts = {**(detail or {}), **(claimed_detail(command) or {})}
    draft.add(
        "hitl_resolved",
        payload,
        node_id=request.node_id,
        message=f"{decision} by {operator}",
        detail=facts or None,
    )


def _quorum_reached(draft: Draft, request: RequestState, command: c.ResolveRequest, vote: JsonObject) -> bool:
    """Count this vote; False while more are needed (the vote is in the log then)."""
    quorum = int(request.rules.get("quorum") or 1)
    if any(earlier["operator"] == vote["operator"] for earlier in request.votes):
        raise NotAllowed(f"{vote['operator']} has voted already", code="already_voted")
    votes = 0 if "pendingOutput" in vote else len(request.votes)
    if votes + 1 >= quorum:
        return True
    text = f"{vote['operator']} approved ({votes + 1} of {quorum})"
    draft.add("log", {"level": "info", "message": text}, message=text, detail={"vote": vote})
    return False


def _approve(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    if request.subject == "clarify":
        raise ResponseInvalid("a question needs an answer, not an approval", requestId=request.id)
    vote: JsonObject = {"requestId": request.id, "operator": operator_name(command), "note": command.note}
    if not _quorum_reached(draft, request, command, vote):
        return
    if request.subject == "node":
        _rerun(draft, request, command, "approved", None)
        return
    _resolve(draft, request, command, "approved")
    deliver_approved(draft, request, request.payload.get("pendingOutput"))


def deliver_approved(draft: Draft, request: RequestState, output: Json) -> None:
    if request.subject == "output":
        draft.add("complete", {"status": "completed", "output": output})


def _reject(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    action = request.rules.get("onReject", "fail")
    reason = command.note or command.text
    if action == "replan" and request.subject == "output":
        _resolve(draft, request, command, "rejected", {"effect": "replan"})
        return
    if action == "rerun" and request.subject == "output":
        answer = _answer(request, command)
        targets = [
            node.id for node in draft.state.nodes.values() if node.kind in ("execution", "transformation")
        ]
        detail: JsonObject = {"effect": "rerun", "nodes": targets, "answer": answer}
        _resolve(draft, request, command, "rejected", detail)
        return
    _resolve(draft, request, command, "rejected")
    operator = operator_name(command)
    message = f"rejected by {operator}" + (f": {reason}" if reason else "")
    draft.fail_run(
        "hitl_rejected", message, {"requestId": request.id, "operator": operator, "reason": reason}
    )


def _edit(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    if request.subject not in ("output", "node"):
        raise ResponseInvalid("there is no output to edit in this request", requestId=request.id)
    if command.errors:
        raise ResponseInvalid(
            f"the edited output breaks the contract in {len(command.errors)} place(s)",
            requestId=request.id,
            errors=list(command.errors),
        )
    vote: JsonObject = {
        "requestId": request.id,
        "operator": operator_name(command),
        "note": command.note,
        "pendingOutput": command.edited_output,
    }
    if request.subject == "output" and not _quorum_reached(draft, request, command, vote):
        return
    detail: JsonObject = {"output": command.edited_output}
    if request.subject == "node":
        detail["effect"] = "complete_node"
    _resolve(draft, request, command, "edited", detail)
    deliver_approved(draft, request, command.edited_output)


def _choose(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    options: list[JsonObject] = request.payload.get("options", [])
    if command.option_id not in [option["id"] for option in options]:
        raise ResponseInvalid(
            f"{command.option_id!r} is not one of the options", requestId=request.id, options=options
        )
    if request.subject == "node" and command.option_id == "fail":
        _reject(draft, request, command)
        return
    _rerun(draft, request, command, "answered", _answer(request, command))


def _answer_freely(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    if not request.payload.get("allowFreeForm"):
        raise ResponseInvalid("this request takes no free text", requestId=request.id)
    if not command.text:
        raise ResponseInvalid("an answer needs a text", requestId=request.id)
    _rerun(draft, request, command, "answered", _answer(request, command))


def _answer(request: RequestState, command: c.ResolveRequest) -> JsonObject:
    answer: JsonObject = {"requestId": request.id, "question": request.payload["question"]}
    if command.option_id is not None:
        answer["optionId"] = command.option_id
    text = command.text or command.note
    if text is not None:
        answer["text"] = text
    return answer


def _rerun(
    draft: Draft, request: RequestState, command: c.ResolveRequest, decision: str, answer: JsonObject | None
) -> None:
    if request.node_id is None:
        raise ResponseInvalid(
            "this request is about the output: approve, reject or edit it", requestId=request.id
        )
    detail: JsonObject = {"effect": "rerun", "nodes": [request.node_id]}
    if answer is not None:
        detail["answer"] = answer
    _resolve(draft, request, command, decision, detail)


def remove_request(draft: Draft, command: c.RemoveRequest) -> None:
    """Take the request away. The run waits for it and cannot go on, so it ends as aborted."""
    request = _open_request(draft, command.request_id)
    check_allowed(draft.state, request, command)
    _resolve(draft, request, command, "removed")
    message = f"request removed by {operator_name(command)}"
    error: JsonObject = {"code": "hitl_removed", "message": message, "details": {"requestId": request.id}}
    draft.add("complete", {"status": "aborted", "error": error}, message=message)


_RESPONSES = {
    "approval": _approve,
    "rejection": _reject,
    "option": _choose,
    "freeform": _answer_freely,
    "edit": _edit,
}
