"""Asking people: what a request says and when a run makes one."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from uuid import UUID, uuid5

from runs import commands as c
from runs import new_events
from runs import transitions as t
from runs.accepted_responses import inline_contract
from runs.draft import Draft
from runs.errors import StaleAttempt
from runs.event import Json, JsonObject, rfc3339
from runs.event_data import HitlRequestData, HitlRequestDetail
from runs.frames import origin_agent
from runs.state import NodeState, RunState
from schemas.canonical import content_hash
from schemas.contract_schema import effective_schema
from schemas.plan import PlanGraph
from schemas.vocabulary import RequestKind, RequestSubject

MAX_REQUESTS = 1_000
"""How many requests one run may make, over all its rounds; the next one ends it."""

MAX_OPEN_REQUESTS = 200
"""How many requests of one run may wait for people at a time; one more ends it."""

NODE_OPTIONS: tuple[JsonObject, ...] = (
    {"id": "retry", "label": "Try again"},
    {"id": "fail", "label": "Give up"},
)


def hitl_rules(state: RunState) -> JsonObject:
    """`policies.hitl` in wire form, without what is left out: see `schemas.policies.HitlPolicy`."""
    return state.policies.hitl.to_wire()


def needs_approval(state: RunState) -> bool:
    """`requiresHitlApproval`, in `policies`, in its `planner.directives` or in `constraints`."""
    return state.policies.approval_required


def add_request(  # noqa: PLR0913 - the words of a hitl_request, each by its name
    draft: Draft,
    *,
    kind: RequestKind,
    subject: RequestSubject,
    question: str,
    rules: JsonObject,
    node_id: str | None = None,
    options: tuple[JsonObject, ...] = (),
    allow_free_form: bool = False,
    pending_output: Json = None,
    context: Json = None,
    usage: JsonObject | None = None,
) -> None:
    """Add a request, or end a run that has asked too often.

    `context` goes into every frame: what is in the log already is referred to there, not copied.
    """
    if len(draft.state.requests) >= MAX_REQUESTS:
        text = f"the run has asked people {MAX_REQUESTS} times"
        draft.fail_run("too_many_requests", text, {"limit": MAX_REQUESTS})
        return
    if len(draft.state.open_ids) >= MAX_OPEN_REQUESTS:
        text = f"{MAX_OPEN_REQUESTS} requests of the run wait for people already"
        draft.fail_run("too_many_requests", text, {"limit": MAX_OPEN_REQUESTS, "nodeId": node_id})
        return
    seconds = rules.get("expiresInSeconds")
    expires_at = rfc3339(draft.now + timedelta(seconds=seconds)) if seconds else None
    # The id is derived from the place in the log: the domain has no randomness, and no two requests share a place.
    request_id = str(uuid5(UUID(draft.state.run_id), f"request-{draft.state.seq + 1}"))
    node = draft.state.nodes.get(node_id or "")
    data: HitlRequestData = {
        "requestId": request_id,
        "kind": kind,
        "originAgent": origin_agent(subject, node.kind if node is not None else None),
        "question": question,
        "options": list(options),
        "allowFreeForm": allow_free_form,
        "urgency": rules.get("urgency", "normal"),
        "additionalContext": context,
        "pendingOutput": pending_output,
        "expiresAt": expires_at,
    }
    if subject in ("output", "plan"):
        data["outputHash"] = content_hash(pending_output)
    detail: HitlRequestDetail = {"subject": subject, "rules": rules}
    if usage is not None:
        detail["usage"] = usage
    if node is not None:
        detail["asker"] = {"nodeId": node.id, "nodeLabel": node.label, "capabilityId": node.capability_id}
    if subject != "output" or "outputContract" in draft.state.envelope:
        contract = edit_contract(draft.state, subject, node)
        if inline_contract(contract):
            detail["contract"] = contract
    draft.add(new_events.hitl_request(data, detail, node_id=node_id))


@cache
def plan_schema() -> JsonObject:
    """The JSON Schema of a PlanGraph."""
    return PlanGraph.model_json_schema(by_alias=True)


def edit_contract(
    state: RunState, subject: RequestSubject, node: NodeState | None
) -> JsonObject | bool | None:
    """What an edited output must keep: the caller's contract, or that of the node which the request is about."""
    if subject == "output":
        return effective_schema(state.envelope["outputContract"])
    if subject == "plan":
        return plan_schema()
    return node.contract.get("output") if subject == "node" and node is not None else None


def ask_for_approval(draft: Draft, output: Json) -> None:
    """The composed output waits for a person."""
    question = f"Approve the output of: {draft.state.envelope['objective']}"
    add_request(
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
    add_request(
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


def request_clarification(draft: Draft, command: c.RequestClarification) -> None:
    """A running capability asks; the attempt ends here and the next one has the answer in its bundle."""
    node = draft.state.nodes.get(command.node_id)
    if node is None or node.status != t.RUNNING or node.attempt != command.attempt:
        raise StaleAttempt(
            f"attempt {command.attempt} of node {command.node_id} is over", nodeId=command.node_id
        )
    add_request(
        draft,
        kind="choice" if command.options else "clarify",
        subject="clarify",
        node_id=node.id,
        question=command.question,
        rules=hitl_rules(draft.state),
        options=command.options,
        allow_free_form=command.allow_free_form,
        context=command.additional_context,
        usage=command.usage,
    )
