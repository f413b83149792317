"""A request whose time is up."""

from __future__ import annotations

from runs import commands as c
from runs.draft import Draft
from runs.errors import NotReady, NotWaiting
from runs.event import JsonObject
from runs.rules.asking import ask
from runs.rules.deciding import deliver_approved
from runs.state import RequestState


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
    if action == "approve" and request.subject in ("output", "policy"):
        draft.add("hitl_resolved", payload, node_id=request.node_id)
        deliver_approved(draft, request, request.payload.get("pendingOutput"))
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
    ask(
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
