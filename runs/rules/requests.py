"""People in the loop: asking, voting, deciding, running out of time. Every door obeys these rules: they are here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid5

from runs import commands as c
from runs import transitions as t
from runs.draft import Draft
from runs.errors import (
    NotAllowed,
    NotReady,
    NotWaiting,
    RequestResolved,
    RequestUnknown,
    ResponseInvalid,
    RunFinished,
    StaleAttempt,
    StalePlanVersion,
)
from runs.event import Json, JsonObject, rfc3339
from runs.rules.access import check_allowed, claimed_detail, operator_name
from runs.state import RequestState, RunState

NODE_OPTIONS: tuple[JsonObject, ...] = (
    {"id": "retry", "label": "Try again"},
    {"id": "fail", "label": "Give up"},
)


def hitl_rules(state: RunState) -> JsonObject:
    """`policies.hitl`: approvers, quorum, expiresInSeconds, onExpiry, escalateTo, onReject, forbidSubmitter."""
    policies: JsonObject = state.envelope.get("policies") or {}
    rules = policies.get("hitl")
    return cast(JsonObject, rules) if isinstance(rules, dict) else {}


def needs_approval(state: RunState) -> bool:
    """`requiresHitlApproval`, in `policies` or in `constraints`."""
    places: list[JsonObject] = [state.envelope.get("policies") or {}, state.envelope.get("constraints") or {}]
    return any(place.get("requiresHitlApproval") is True for place in places)


def _ask(  # noqa: PLR0913 - the words of a hitl_request, each by its name
    draft: Draft,
    *,
    kind: str,
    subject: str,
    question: str,
    rules: JsonObject,
    node_id: str | None = None,
    options: tuple[JsonObject, ...] = (),
    allow_free_form: bool = False,
    pending_output: Json = None,
    context: Json = None,
) -> None:
    seconds = rules.get("expiresInSeconds")
    expires_at = rfc3339(draft.now + timedelta(seconds=seconds)) if seconds else None
    # The id is derived from the place in the log: the domain has no randomness, and no two requests share a place.
    request_id = str(uuid5(UUID(draft.state.run_id), f"request-{draft.state.seq + 1}"))
    payload: JsonObject = {
        "requestId": request_id,
        "kind": kind,
        "question": question,
        "options": list(options),
        "allowFreeForm": allow_free_form,
        "urgency": rules.get("urgency", "normal"),
        "additionalContext": context,
        "pendingOutput": pending_output,
        "expiresAt": expires_at,
    }
    draft.add(
        "hitl_request",
        payload,
        node_id=node_id,
        message=question,
        detail={"subject": subject, "rules": rules},
    )


def ask_for_approval(draft: Draft, output: Json) -> None:
    """The composed output waits for a person."""
    question = f"Approve the output of: {draft.state.envelope['objective']}"
    _ask(
        draft,
        kind="approval",
        subject="output",
        question=question,
        rules=hitl_rules(draft.state),
        pending_output=output,
    )


def ask_about_failed_node(draft: Draft, node_id: str) -> None:
    """A node whose attempts are used up and whose fallback is a person."""
    node = draft.node(node_id)
    error = node.error or {}
    _ask(
        draft,
        kind="choice",
        subject="node",
        node_id=node_id,
        question=f"{node.label} failed after {node.attempt} attempt(s): {error.get('message')}. What now?",
        rules=hitl_rules(draft.state),
        options=NODE_OPTIONS,
        allow_free_form=True,
        context={"error": error, "validationErrors": list(node.validation_errors)},
    )


def clarify(draft: Draft, command: c.Clarify) -> None:
    """A running capability asks; the attempt ends here and the next one has the answer in its bundle."""
    node = draft.state.nodes.get(command.node_id)
    if node is None or node.status != t.RUNNING or node.attempt != command.attempt:
        raise StaleAttempt(
            f"attempt {command.attempt} of node {command.node_id} is over", nodeId=command.node_id
        )
    _ask(
        draft,
        kind="choice" if command.options else "clarify",
        subject="clarify",
        node_id=node.id,
        question=command.question,
        rules=hitl_rules(draft.state),
        options=command.options,
        allow_free_form=command.allow_free_form,
        context=command.additional_context,
    )


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
    return request


def resolve_request(draft: Draft, command: c.ResolveRequest) -> None:
    """Apply a person's response, if this person may give it and the request still waits."""
    request = _open_request(draft, command.request_id)
    expected = command.expected_plan_version
    if expected is not None and expected != draft.state.plan_version:
        raise StalePlanVersion(
            f"the plan is at version {draft.state.plan_version}, not {expected}",
            planVersion=draft.state.plan_version,
        )
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
    _deliver_approved(draft, request, request.payload.get("pendingOutput"))


def _deliver_approved(draft: Draft, request: RequestState, output: Json) -> None:
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
    _deliver_approved(draft, request, command.edited_output)


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


def expire_request(draft: Draft, command: c.ExpireRequest) -> None:
    """Do what the request's rules say for the end of its time: reject (the default), approve, or escalate."""
    request = draft.state.requests.get(command.request_id)
    if request is None or not request.open:
        raise NotWaiting(f"request {command.request_id} is not open", requestId=command.request_id)
    if request.expires_at is None or command.now < request.expires_at:
        raise NotReady("the request has not expired")
    action = request.rules.get("onExpiry", "reject")
    payload: JsonObject = {
        "requestId": request.id,
        "decision": "expired",
        "operator": "flexrun",
        "note": f"onExpiry: {action}",
    }
    if action == "approve" and request.subject == "output":
        draft.add("hitl_resolved", payload, node_id=request.node_id)
        _deliver_approved(draft, request, request.payload.get("pendingOutput"))
        return
    if action == "escalate" and request.rules.get("escalateTo"):
        _escalate(draft, request, payload)
        return
    draft.add("hitl_resolved", payload, node_id=request.node_id)
    draft.fail_run("hitl_expired", "nobody decided in time", {"requestId": request.id})


def _escalate(draft: Draft, request: RequestState, payload: JsonObject) -> None:
    rules = {
        **request.rules,
        "approvers": [request.rules["escalateTo"]],
        "onExpiry": request.rules.get("afterEscalation", "reject"),
    }
    draft.add("hitl_resolved", payload, node_id=request.node_id, detail={"effect": "escalate"})
    shown = request.payload
    _ask(
        draft,
        kind=request.kind,
        subject=request.subject,
        node_id=request.node_id,
        question=shown["question"],
        rules=rules,
        options=tuple(shown["options"]),
        allow_free_form=shown["allowFreeForm"],
        pending_output=shown["pendingOutput"],
        context=shown["additionalContext"],
    )


_RESPONSES = {
    "approval": _approve,
    "rejection": _reject,
    "option": _choose,
    "freeform": _answer_freely,
    "edit": _edit,
}
