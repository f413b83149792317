"""Decisions of people. The rules are here and nowhere else, so they hold for every endpoint."""

from __future__ import annotations

from typing import Any, cast

from runs import commands as c
from runs import new_events
from runs.accepted_responses import accepted_responses
from runs.draft import Draft
from runs.errors import (
    RequestExpired,
    RequestResolved,
    RequestUnknown,
    ResponseInvalid,
    RunFinished,
)
from runs.event import Json, JsonObject
from runs.event_data import (
    AnswerData,
    ErrorData,
    HitlResolvedDetail,
    PlanApproval,
    ProposalContent,
    ReplanDetail,
)
from runs.rules.goals import complete_run
from runs.rules.pauses import running_time
from runs.rules.permissions import check_allowed, check_plan_version, claimed_detail, operator_name
from runs.rules.plan_approval import (
    MAX_PLAN_REJECTIONS,
    TOO_MANY_REJECTIONS,
    withdraw_plan_questions,
)
from runs.rules.planning import edit_errors, replace_plan
from runs.rules.replans import ask_for_plan
from runs.rules.runtime_policies import act_on_decision
from runs.rules.votes import cast_vote, check_output, check_proposal, output_hash, withdraw_vote
from runs.state import RequestState
from schemas.canonical import content_hash
from schemas.vocabulary import Decision


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
    if request.expires_at is not None and running_time(draft) >= request.expires_at:
        raise RequestExpired(f"request {request_id} has expired", requestId=request_id)
    return request


def resolve_request(draft: Draft, command: c.ResolveRequest) -> None:
    """Apply a person's response, if this person may give it and the request still waits."""
    request = _open_request(draft, command.request_id)
    check_plan_version(draft.state, command.expected_plan_version)
    check_proposal(request, command.expected_proposal)
    check_output(request, command.expected_output)
    if command.response_type == "withdraw":
        withdraw_vote(draft, request, command)
        return
    check_allowed(draft.state, request, command)
    _check_answer(request, command)
    _RESPONSES[command.response_type](draft, request, command)


def _check_answer(request: RequestState, command: c.ResolveRequest) -> None:
    """Raise ResponseInvalid for a response that the request does not take."""
    answers = accepted_responses(request.subject, request.payload, proposed=request.proposal is not None)
    refusal: str | None = None
    if command.response_type == "approval" and not answers.approval:
        refusal = "a question needs an answer, not an approval"
    elif command.response_type == "edit" and not answers.edit:
        refusal = "there is no output to edit in this request"
    elif command.response_type == "option" and not answers.has_option(command.option_id):
        refusal = f"{command.option_id!r} is not one of the options"
    elif command.response_type == "freeform" and not answers.freeform:
        refusal = "this request takes no free text"
    if refusal is not None:
        raise ResponseInvalid(refusal, requestId=request.id, options=request.payload.get("options", []))


def _resolve(
    draft: Draft,
    request: RequestState,
    command: Any,
    decision: Decision,
    detail: HitlResolvedDetail | None = None,
    approved: str | None = None,
) -> None:
    """Add the decision; `approved` is the hash of the output that it approves."""
    operator = operator_name(command)
    facts: HitlResolvedDetail = {**(detail or {}), **(claimed_detail(command) or {})}
    draft.add(
        new_events.hitl_resolved(
            request,
            decision,
            operator=operator,
            note=command.note,
            output_hash=approved,
            message=f"{decision} by {operator}",
            detail=facts or None,
        )
    )


def _approve(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    """Approve what is proposed."""
    if cast_vote(draft, request, command, None):
        _carry_out(draft, request, command, request.proposal)


def _edit(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    output, errors = command.edited_output, list(command.errors)
    if request.subject == "plan" and not errors:
        errors = edit_errors(draft.state, output)
    if errors:
        what = "plan cannot be run:" if request.subject == "plan" else "output breaks the contract in"
        raise ResponseInvalid(
            f"the edited {what} {len(errors)} place(s)" + (" are wrong" if request.subject == "plan" else ""),
            requestId=request.id,
            errors=errors,
        )
    proposal: ProposalContent = {"responseType": "edit", "output": output, "outputHash": content_hash(output)}
    _propose(draft, request, command, proposal)


def _choose(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    if request.subject == "node" and command.option_id == "fail":
        _reject(draft, request, command)
        return
    proposal: ProposalContent = {"responseType": "option", "optionId": command.option_id}
    if (text := command.text or command.note) is not None:
        proposal["text"] = text
    _propose(draft, request, command, proposal)


def _answer_freely(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    if not command.text:
        raise ResponseInvalid("an answer needs a text", requestId=request.id)
    _propose(draft, request, command, {"responseType": "freeform", "text": command.text})


def _propose(
    draft: Draft, request: RequestState, command: c.ResolveRequest, proposal: ProposalContent
) -> None:
    if cast_vote(draft, request, command, proposal):
        _carry_out(draft, request, command, proposal)


def _carry_out(
    draft: Draft, request: RequestState, command: c.ResolveRequest, proposal: ProposalContent | None
) -> None:
    """Do what enough people agree on: what was asked at first (None), an edit, or an answer."""
    if proposal is None and request.subject == "node":
        _rerun(draft, request, command, "approved", None)
    elif proposal is None:
        held_back = request.subject in ("policy", "plan")
        effect: HitlResolvedDetail | None = {"effect": "approve"} if held_back else None
        _resolve(draft, request, command, "approved", effect, output_hash(request))
        deliver_approved(draft, request, request.payload.get("pendingOutput"))
        act_on_decision(draft, request, approved=True)
    elif proposal["responseType"] == "edit":
        _take_edit(draft, request, command, proposal)
    else:
        answer: AnswerData = {"requestId": request.id, "question": request.payload["question"]}
        if "optionId" in proposal:
            answer["optionId"] = proposal["optionId"]
        if "text" in proposal:
            answer["text"] = proposal["text"]
        _rerun(draft, request, command, "answered", answer)


def _take_edit(
    draft: Draft, request: RequestState, command: c.ResolveRequest, proposal: ProposalContent
) -> None:
    """The edited output is in the log once: in the proposal that was voted on, or here, or in `complete`."""
    detail: HitlResolvedDetail = {}
    if request.subject == "node":
        detail["effect"] = "complete_node"
        if proposal is not request.proposal:
            detail["output"] = proposal.get("output")
    _resolve(draft, request, command, "edited", detail, proposal.get("outputHash") or output_hash(request))
    if request.subject == "plan":
        approval: PlanApproval = {
            "runId": draft.state.run_id,
            "requestId": request.id,
            "operator": (request.proposal or {}).get("operator") or operator_name(command),
        }
        withdraw_plan_questions(draft, request)
        replace_plan(draft, cast(JsonObject, proposal.get("output")), approval, command.note)
    deliver_approved(draft, request, proposal.get("output"))


def deliver_approved(draft: Draft, request: RequestState, output: Json) -> None:
    """Complete the run where its output was approved; after other approvals it continues."""
    if request.subject == "output":
        complete_run(draft, output)


def _reject(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    """One rejection is enough: it delivers nothing."""
    action = request.rules.get("onReject", "fail")
    reason = command.note or command.text
    if request.subject == "plan" and request.rules.get("onReject") != "fail":
        _plan_again(draft, request, command)
        return
    if action == "replan" and request.subject == "output":
        _make_anew(draft, request, command)
        return
    if action == "rerun" and request.subject == "output":
        _run_again(draft, request, command)
        return
    _resolve(draft, request, command, "rejected")
    if act_on_decision(draft, request, approved=False):
        return
    operator = operator_name(command)
    message = f"rejected by {operator}" + (f": {reason}" if reason else "")
    draft.fail_run(
        "hitl_rejected", message, {"requestId": request.id, "operator": operator, "reason": reason}
    )


def _plan_again(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    """The planner is told what was said, and makes another plan; it may do so a few times only."""
    rejections = len(draft.state.rejected_plans) + 1
    if rejections > MAX_PLAN_REJECTIONS:
        _resolve(draft, request, command, "rejected")
        said = f": {command.note}" if command.note else ""
        message = f"{rejections} plans were rejected, the last one by {operator_name(command)}{said}"
        details: JsonObject = {"limit": MAX_PLAN_REJECTIONS, "requestId": request.id}
        draft.fail_run(TOO_MANY_REJECTIONS, message, details)
        return
    withdraw_plan_questions(draft, request)
    wish: ReplanDetail = {"cause": "plan_rejected", "redo": []}
    _resolve(draft, request, command, "rejected", {"effect": "replan", "replan": wish})


def _make_anew(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    """The words reach the planner, and with it those who do the work anew; what that began with is kept."""

    def record(wish: ReplanDetail) -> None:
        _resolve(draft, request, command, "rejected", {"effect": "replan", "replan": wish})

    wish: ReplanDetail = {"cause": "rejected", "redo": _done_by_work(draft)}
    if (words := command.note or command.text) is not None:
        wish["rationale"] = words
    ask_for_plan(draft, wish, record, lambda: _resolve(draft, request, command, "rejected"), request)


def _done_by_work(draft: Draft) -> list[str]:
    return [node.id for node in draft.state.nodes.values() if node.kind in ("execution", "transformation")]


def _run_again(draft: Draft, request: RequestState, command: c.ResolveRequest) -> None:
    targets = _done_by_work(draft)
    answer: AnswerData = {"requestId": request.id, "question": request.payload["question"]}
    if (text := command.text or command.note) is not None:
        answer["text"] = text
    detail: HitlResolvedDetail = {"effect": "rerun", "nodes": targets, "answer": answer}
    _resolve(draft, request, command, "rejected", detail)


def _rerun(
    draft: Draft,
    request: RequestState,
    command: c.ResolveRequest,
    decision: Decision,
    answer: AnswerData | None,
) -> None:
    detail: HitlResolvedDetail = {"effect": "rerun", "nodes": [request.node_id or ""]}
    if answer is not None:
        detail["answer"] = answer
    _resolve(draft, request, command, decision, detail)


def remove_request(draft: Draft, command: c.RemoveRequest) -> None:
    """Remove the request. The run waits for it and cannot continue, so it ends as aborted.

    Like a rejection it delivers nothing, so one person who may decide is enough.
    """
    request = _open_request(draft, command.request_id)
    check_allowed(draft.state, request, command)
    _resolve(draft, request, command, "removed")
    message = f"request removed by {operator_name(command)}"
    error: ErrorData = {"code": "hitl_removed", "message": message, "details": {"requestId": request.id}}
    draft.add(new_events.run_ended("aborted", error))


_RESPONSES = {
    "approval": _approve,
    "rejection": _reject,
    "option": _choose,
    "freeform": _answer_freely,
    "edit": _edit,
}
