"""The end of a request's time, and its announcement. One timer does both: see `runs.outstanding`."""

from __future__ import annotations

from runs import commands as c
from runs import new_events
from runs.draft import Draft
from runs.errors import NotReady, NotWaiting
from runs.event_data import HitlResolvedDetail
from runs.rules.decisions import deliver_approved
from runs.rules.pauses import check_running
from runs.rules.requests import add_request
from runs.rules.runtime_policies import act_on_decision
from runs.rules.votes import output_hash
from runs.state import RequestState
from runs.values import changed
from schemas.vocabulary import ExpiryAction


def expire_request(draft: Draft, command: c.ExpireRequest) -> None:
    """Announce the end of a request's time; at the end do what its rules say: reject, approve or escalate."""
    request = draft.state.requests.get(command.request_id)
    if request is None or not request.open:
        raise NotWaiting(f"request {command.request_id} is not open", requestId=command.request_id)
    check_running(draft)
    if request.expires_at is None or command.now < request.expires_at:
        _announce(draft, request, command)
        return
    action: ExpiryAction = request.rules.get("onExpiry", "reject")
    if action == "approve" and request.subject in ("output", "policy", "plan"):
        # What was asked at first: an edit that too few had approved is not approved by the clock.
        if request.subject != "output":
            _resolve(draft, request, action, {"effect": "approve"})
        else:
            _resolve(draft, request, action, output_hash=output_hash(changed(request, proposal=None)))
        deliver_approved(draft, request, request.payload.get("pendingOutput"))
        act_on_decision(draft, request, approved=True)
        return
    if action == "escalate" and request.rules.get("escalateTo"):
        _escalate(draft, request)
        return
    _resolve(draft, request, action)
    if act_on_decision(draft, request, approved=False):
        return
    draft.fail_run("hitl_expired", "nobody decided in time", {"requestId": request.id})


def _announce(draft: Draft, request: RequestState, command: c.ExpireRequest) -> None:
    at, ends = request.announced_at, request.expires_at
    if at is None or ends is None or request.announced or command.now < at:
        raise NotReady("the request has not expired")
    draft.add(new_events.hitl_expiring(request, ends=ends, action=request.rules.get("onExpiry", "reject")))


def _resolve(
    draft: Draft,
    request: RequestState,
    action: ExpiryAction,
    detail: HitlResolvedDetail | None = None,
    *,
    output_hash: str | None = None,
) -> None:
    draft.add(
        new_events.hitl_resolved(
            request,
            "expired",
            operator="flexrun",
            note=f"onExpiry: {action}",
            output_hash=output_hash,
            detail=detail,
        )
    )


def _escalate(draft: Draft, request: RequestState) -> None:
    """Ask again what was asked at first: of one name or role, so one approval is enough."""
    rules = {
        **request.rules,
        "approvers": [request.rules["escalateTo"]],
        "quorum": 1,
        "onExpiry": request.rules.get("afterEscalation", "reject"),
    }
    _resolve(draft, request, "escalate", {"effect": "escalate"})
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
