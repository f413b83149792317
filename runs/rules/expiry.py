"""A request whose time is nearly up, or up. One timer does both: see `runs.outstanding`."""

from __future__ import annotations

from runs import commands as c
from runs.draft import Draft
from runs.errors import NotReady, NotWaiting
from runs.event import JsonObject, rfc3339
from runs.rules.decisions import deliver_approved
from runs.rules.pauses import check_running
from runs.rules.requests import add_request
from runs.rules.votes import output_hash
from runs.state import RequestState
from runs.values import changed


def expire_request(draft: Draft, command: c.ExpireRequest) -> None:
    """Announce the end of a request's time; at the end do what its rules say: reject, approve or escalate."""
    request = draft.state.requests.get(command.request_id)
    if request is None or not request.open:
        raise NotWaiting(f"request {command.request_id} is not open", requestId=command.request_id)
    check_running(draft)
    if request.expires_at is None or command.now < request.expires_at:
        _announce(draft, request, command)
        return
    action = request.rules.get("onExpiry", "reject")
    payload: JsonObject = {
        "requestId": request.id,
        "decision": "expired",
        "operator": "flexrun",
        "note": f"onExpiry: {action}",
    }
    if action == "approve" and request.subject in ("output", "policy"):
        # What was asked at first: an edit that too few had approved is not approved by the clock.
        effect: JsonObject | None = {"effect": "approve"} if request.subject == "policy" else None
        if request.subject == "output":
            payload["outputHash"] = output_hash(changed(request, proposal=None))
        draft.add("hitl_resolved", payload, node_id=request.node_id, detail=effect)
        deliver_approved(draft, request, request.payload.get("pendingOutput"))
        return
    if action == "escalate" and request.rules.get("escalateTo"):
        _escalate(draft, request, payload)
        return
    draft.add("hitl_resolved", payload, node_id=request.node_id)
    draft.fail_run("hitl_expired", "nobody decided in time", {"requestId": request.id})


def _announce(draft: Draft, request: RequestState, command: c.ExpireRequest) -> None:
    at, ends = request.announced_at, request.expires_at
    if at is None or ends is None or request.announced or command.now < at:
        raise NotReady("the request has not expired")
    action = request.rules.get("onExpiry", "reject")
    payload: JsonObject = {
        "requestId": request.id,
        "question": request.payload["question"],
        "urgency": request.payload.get("urgency", "normal"),
        "expiresAt": rfc3339(ends),
        "onExpiry": action,
    }
    message = f"nobody has decided yet; at {rfc3339(ends)} the answer is: {action}"
    draft.add("hitl_expiring", payload, node_id=request.node_id, message=message)


def _escalate(draft: Draft, request: RequestState, payload: JsonObject) -> None:
    """Ask again what was asked at first: of one name or role, so one approval is enough."""
    rules = {
        **request.rules,
        "approvers": [request.rules["escalateTo"]],
        "quorum": 1,
        "onExpiry": request.rules.get("afterEscalation", "reject"),
    }
    draft.add("hitl_resolved", payload, node_id=request.node_id, detail={"effect": "escalate"})
    shown = request.payload
    add_request(
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
