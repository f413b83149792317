"""Folding what concerns people: questions, votes, decisions, and the time that passes in a pause."""

from __future__ import annotations

from typing import cast

from runs import transitions as t
from runs.event import Event, JsonObject, parse_time
from runs.event_data import (
    ControlData,
    HitlExpiringData,
    HitlRequestData,
    HitlRequestDetail,
    HitlResolvedData,
    HitlResolvedDetail,
    LogData,
    LogDetail,
    PlanApproval,
    PriorityData,
    ProposalData,
    RejectedPlan,
    VoteData,
    VoteDetail,
)
from runs.evolve_nodes import completed_node, reset_nodes, with_node, with_output
from runs.evolve_replan import wants_plan
from runs.plan_shape import plan_shape
from runs.state import NodeState, RequestState, RunState
from runs.stored_policies import read_rules
from runs.transitions import next_node_status
from runs.values import changed


def hitl_request(state: RunState, event: Event, data: HitlRequestData, detail: HitlRequestDetail) -> RunState:
    expires_at = data.get("expiresAt")
    request = RequestState(
        id=data["requestId"],
        kind=data["kind"],
        subject=detail["subject"],
        node_id=event.node_id,
        payload=event.payload,
        rules=read_rules(detail.get("rules")).to_wire(),
        created_at=event.recorded_at,
        expires_at=parse_time(expires_at) if expires_at else None,
    )
    state = changed(
        state,
        requests={**state.requests, request.id: request},
        open_ids=(*state.open_ids, request.id),
    )
    node = state.nodes.get(event.node_id or "")
    if node is None or request.subject not in ("node", "clarify"):
        return state
    return with_node(state, changed(node, status=next_node_status(node.status, "ask", node.id)))


def hitl_expiring(state: RunState, _: Event, data: HitlExpiringData, __: JsonObject) -> RunState:
    request = state.requests[data["requestId"]]
    return changed(state, requests={**state.requests, request.id: changed(request, announced=True)})


def hitl_resolved(
    state: RunState, event: Event, data: HitlResolvedData, detail: HitlResolvedDetail
) -> RunState:
    asked = state.requests[data["requestId"]]
    # The question is in the log and in the read model; the state of a run of many rounds stays small.
    resolved = changed(
        asked,
        payload={},
        proposal=None,
        decision=data["decision"],
        operator=data.get("operator"),
        note=data.get("note"),
        resolved_at=event.recorded_at,
    )
    state = changed(
        state,
        requests={**state.requests, asked.id: resolved},
        open_ids=tuple(each for each in state.open_ids if each != asked.id),
    )
    return _effect(_with_editor(state, asked, data), asked, event, data, detail)


def _with_editor(state: RunState, asked: RequestState, data: HitlResolvedData) -> RunState:
    if data["decision"] != "edited" or asked.proposal is not None:
        return state
    return _edited_by(state, data.get("operator"))


def _edited_by(state: RunState, name: str | None) -> RunState:
    if name is None or name in state.editors:
        return state
    return changed(state, editors=(*state.editors, name))


def _effect(
    state: RunState, asked: RequestState, event: Event, data: HitlResolvedData, detail: HitlResolvedDetail
) -> RunState:
    effect = detail.get("effect")
    if effect == "rerun":
        return reset_nodes(state, detail.get("nodes", ()), answer=detail.get("answer"))
    if effect == "complete_node":
        proposal = asked.proposal
        output = detail["output"] if "output" in detail else (proposal or {}).get("output")
        done = completed_node(state.nodes[asked.node_id or ""], output, event)
        return with_output(state, done, (proposal or {}).get("operator") or data.get("operator"))
    if effect == "replan":
        return _planned_again(state, asked, data, detail)
    if effect == "approve" and asked.subject == "plan":
        approval: PlanApproval = {
            "runId": state.run_id,
            "requestId": asked.id,
            "operator": data.get("operator"),
        }
        return changed(state, plan_approval=approval)
    node = state.nodes.get(asked.node_id or "")
    if effect == "approve" and node is not None:
        return with_node(state, _approved(node, asked))
    return state


def _rejected_plan(state: RunState, data: HitlResolvedData) -> RejectedPlan:
    nodes: list[JsonObject] = [
        {
            "id": node.id,
            "capabilityId": node.capability_id,
            "kind": node.kind,
            "dependsOn": list(node.depends_on),
        }
        for node in state.nodes.values()
    ]
    return {
        "planVersion": state.plan_version,
        "operator": data.get("operator"),
        "words": data.get("note"),
        "capabilities": list(dict.fromkeys(node["capabilityId"] for node in nodes)),
        "shape": plan_shape(nodes),
    }


def _planned_again(
    state: RunState, asked: RequestState, data: HitlResolvedData, detail: HitlResolvedDetail
) -> RunState:
    if asked.subject == "plan":
        state = changed(state, rejected_plans=(*state.rejected_plans, _rejected_plan(state, data)))
    words = data.get("note") or "rejected"
    if "replan" not in detail:
        return changed(state, replan_reason=words)
    return wants_plan(state, {"rationale": words, **detail["replan"]})


def _approved(node: NodeState, asked: RequestState) -> NodeState:
    policy_id = asked.payload["additionalContext"]["policyId"]
    return changed(node, approved=(*node.approved, policy_id))


def log(state: RunState, event: Event, _: LogData, detail: LogDetail) -> RunState:
    if "reuse" in detail:
        return changed(state, reuse=detail["reuse"])
    if "mark" in detail:
        return changed(state, marks=(*state.marks, detail["mark"]))
    vote = detail.get("vote")
    return state if vote is None else _vote(state, vote, str(event.seq))


def _vote(state: RunState, vote: VoteDetail, event_id: str) -> RunState:
    """A vote, a new proposal with or without the vote of its author, or a vote that is withdrawn."""
    request = state.requests[vote["requestId"]]
    name, proposal = vote["operator"], _proposal(vote, event_id)
    mine: VoteData = {"requestId": request.id, "operator": name, "note": vote.get("note")}
    others = tuple(each for each in request.votes if each["operator"] != name)
    if vote.get("withdrawn"):
        kept = None if vote.get("dropped") else request.proposal
        voted = changed(request, votes=others, proposal=kept)
    elif proposal is not None:
        # The votes so far were for something else.
        voted = changed(request, votes=(mine,) if vote.get("counts", True) else (), proposal=proposal)
    else:
        voted = changed(request, votes=(*others, mine))
    voted = changed(voted, changes=request.changes + 1)
    if proposal is not None and proposal["responseType"] == "edit":
        state = _edited_by(state, name)
    return changed(state, requests={**state.requests, request.id: voted})


def _proposal(vote: VoteDetail, event_id: str) -> ProposalData | None:
    """What the vote proposes. Logs of before proposals had names have the edit in the vote itself."""
    content = vote.get("proposal")
    if "pendingOutput" in vote:
        content = {"responseType": "edit", "output": vote["pendingOutput"]}
    if content is None:
        return None
    named = {"id": event_id, "operator": vote["operator"], "note": vote.get("note"), **content}
    return cast(ProposalData, named)


def run_paused(state: RunState, event: Event, _: ControlData, __: JsonObject) -> RunState:
    return changed(state, paused_at=event.recorded_at)


def priority_changed(state: RunState, _: Event, data: PriorityData, __: JsonObject) -> RunState:
    return changed(state, priority=data["priority"])


def run_resumed(state: RunState, event: Event, _: ControlData, __: JsonObject) -> RunState:
    """Move every due time by the length of the pause, or by the part of it since the request was made."""
    if state.paused_at is None:
        return state
    now, paused_at = event.recorded_at, state.paused_at
    requests = {
        request.id: changed(
            request, expires_at=request.expires_at + (now - max(paused_at, request.created_at))
        )
        for request in state.open_requests
        if request.expires_at is not None
    }
    nodes = {
        node.id: changed(node, expires_at=node.expires_at + (now - paused_at))
        for node in state.nodes.values()
        if node.status == t.AWAITING_HUMAN and node.expires_at is not None
    }
    deadline_at = state.deadline_at
    return changed(
        state,
        paused_at=None,
        paused_seconds=state.paused_seconds + (now - paused_at).total_seconds(),
        requests={**state.requests, **requests} if requests else state.requests,
        nodes={**state.nodes, **nodes} if nodes else state.nodes,
        deadline_at=deadline_at + (now - paused_at) if deadline_at is not None else None,
    )
