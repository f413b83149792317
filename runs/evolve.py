"""`evolve(state, event) -> state`: fold one event into a run. No rule is checked here beyond the transition tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, cast

from runs import evolve_people as people
from runs import transitions as t
from runs.errors import IllegalTransition, RunAlreadyStarted, RunErased, RunFinished
from runs.event import ERASED, Event, JsonObject, parse_time, rfc3339
from runs.event_data import (
    CompleteData,
    HitlRequestData,
    HitlRequestDetail,
    LossData,
    LossDetail,
    NodeCompleteData,
    NodeCompleteDetail,
    NodeErrorData,
    NodeErrorDetail,
    NodeStartData,
    PlanDetail,
    PlanGeneratedData,
    PlanRejectedData,
    PlanRejectedDetail,
    PlanRequestedData,
    PlanUpdatedData,
    StartData,
    StartDetail,
    ValidationErrorData,
    ValidationErrorDetail,
)
from runs.evolve_nodes import completed_node, reset_nodes, with_node, with_output
from runs.evolve_policies import policy_triggered
from runs.evolve_replan import carry_over
from runs.graph import dependents_of, meet_dependencies
from runs.settle import settle_trigger
from runs.state import NodeState, RunState
from runs.stored_policies import read_house_policy, read_policies, read_seconds
from runs.transitions import next_node_status, next_run_status
from runs.usage import add_usage
from runs.values import changed, complete_copy
from schemas.tenant import DEFAULT_TENANT
from schemas.vocabulary import EventType

_NO_DETAIL: JsonObject = {}
_DONE_AGAIN = frozenset({"nodes", "replan"})

Fold = Callable[[RunState, Event, Any, Any], RunState]
"""(state, event, its payload, its detail) → state. Each fold names the types of its payload and detail."""


def evolve(state: RunState, event: Event) -> RunState:
    """The state after `event`.

    Raises IllegalTransition for an event that cannot follow, RunFinished for anything after `complete`, RunErased for
    one whose data was erased.
    """
    if ERASED in event.payload:
        raise RunErased.of(event.run_id, event.payload[ERASED])
    if event.seq != state.seq + 1:
        raise IllegalTransition(f"event {event.seq} cannot follow version {state.seq}", status=state.status)
    if event.type == "start":
        return _start(state, event)
    if state.finished:
        raise RunFinished(f"run {state.run_id} is {state.status}; nothing may follow", status=state.status)
    if state.seq == 0:
        raise IllegalTransition(f"a run begins with start, not {event.type}", status=state.status)
    trigger = t.COMPLETE_TRIGGERS[event.payload["status"]] if event.type == "complete" else event.type
    status = next_run_status(state.status, trigger)
    fold = _FOLDS.get(event.type)
    folded = fold(state, event, event.payload, event.detail or _NO_DETAIL) if fold is not None else state
    # An event that changes nothing but the number leaves the run as settled as it was.
    moved = status != state.status or (folded is not state and not _only_counts(event))
    # What a fold gives is a copy of its own, unless it is the state that it was given.
    finish = changed if folded is state else complete_copy
    folded = finish(folded, status=status, seq=event.seq, head_hash=event.hash, updated_at=event.recorded_at)
    if moved and status in t.SETTLING:
        settled = next_run_status(status, settle_trigger(folded))
        if settled != status:
            folded = complete_copy(folded, status=settled)
    return folded


def _only_counts(event: Event) -> bool:
    """A firing that has nothing done again is counted, and leaves the run as settled as it was."""
    return event.type == "policy_triggered" and not _DONE_AGAIN & (event.detail or _NO_DETAIL).keys()


def fold_all(state: RunState, events: Iterable[Event]) -> RunState:
    """`evolve` over several events, in order."""
    for event in events:
        state = evolve(state, event)
    return state


def _start(state: RunState, event: Event) -> RunState:
    if state.seq:
        raise RunAlreadyStarted(f"run {state.run_id} has started already")
    data, detail = cast(StartData, event.payload), cast(StartDetail, event.detail or {})
    envelope: JsonObject = detail.get("envelope", {})
    policies = read_policies(envelope)
    seconds = policies.deadline_seconds
    submitted_by = detail.get("submittedBy")
    authors = detail.get("authors") or ([submitted_by] if submitted_by is not None else [])
    return RunState(
        run_id=event.run_id,
        seq=event.seq,
        head_hash=event.hash,
        sealed=event.sealed,
        protected=event.protected,
        thread_id=data.get("threadId"),
        correlation_id=event.correlation_id,
        envelope=envelope,
        policies=policies,
        house=read_house_policy(detail.get("house")),
        schema_hash=data.get("schemaHash"),
        submitted_by=submitted_by,
        authors=tuple(authors),
        origin=detail.get("origin"),
        reusable=detail.get("reusable"),
        trace=detail.get("trace"),
        tenant=detail.get("tenant", DEFAULT_TENANT),
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        deadline_at=event.recorded_at + timedelta(seconds=seconds) if seconds else None,
    )


def _plan_requested(state: RunState, _: Event, data: PlanRequestedData, __: JsonObject) -> RunState:
    return changed(state, plan_attempt=data["attempt"], plan_in_progress=True, plan_due_at=None)


def _plan_rejected(
    state: RunState, event: Event, data: PlanRejectedData, detail: PlanRejectedDetail
) -> RunState:
    due_at = detail.get("nextAttemptAt")
    return changed(
        _used(state, data.get("planning", {}).get("usage")),
        plan_in_progress=False,
        plan_losses=state.plan_losses + (1 if detail.get("lost") else 0),
        plan_lost=_lost(state.plan_lost, event, detail, data["attempt"]),
        plan_due_at=parse_time(due_at) if due_at else None,
    )


def _lost(
    before: tuple[LossData, ...], event: Event, detail: LossDetail, attempt: int
) -> tuple[LossData, ...]:
    """The losses in a row after an attempt that ended without a result: one more, as many, or none."""
    if not detail.get("lost"):
        return ()
    if "worker" not in detail:
        return before
    loss: LossData = {
        "attempt": attempt,
        "worker": detail["worker"],
        "how": detail.get("how"),
        "at": rfc3339(event.recorded_at),
    }
    return (*before, loss)


def _plan_accepted(
    state: RunState, _: Event, data: PlanGeneratedData | PlanUpdatedData, detail: PlanDetail
) -> RunState:
    plan = detail["plan"]
    nodes = {node["id"]: planned_node(node) for node in plan["nodes"]}
    state = changed(state, replan=None)
    if "carried" in detail:
        nodes, past = carry_over(state, nodes, detail["carried"])
        state = changed(state, past_attempts=past)
    return changed(
        _used(state, data.get("planning", {}).get("usage")),
        plan_in_progress=False,
        plan_losses=0,
        plan_lost=(),
        plan_due_at=None,
        plan_version=data["version"],
        plan_metadata=plan.get("metadata") or {},
        replan_reason=None,
        plan_approval=detail.get("approval"),
        reusable=None,
        final_attempt=0,
        nodes=meet_dependencies(nodes, nodes),
        dependents=dependents_of(nodes),
    )


def planned_node(node: JsonObject) -> NodeState:
    """A node of a plan in wire form, before anything has happened to it."""
    return NodeState(
        id=node["id"],
        capability_id=node["capabilityId"],
        kind=node["kind"],
        label=node["label"],
        depends_on=tuple(node.get("dependsOn", ())),
        contract=node.get("contract") or {},
        bundle=node.get("bundle") or {},
        queue=node.get("queue") or "default",
        executor_type="human" if node.get("agentType") == "human" else "ai",
        capability_version=node.get("capabilityVersion"),
        idempotent=node.get("idempotent") is not False,
    )


def _node_of(state: RunState, event: Event) -> NodeState:
    node = state.nodes.get(event.node_id or "")
    if node is None:
        raise IllegalTransition(f"the plan has no node {event.node_id}", nodeId=event.node_id)
    return node


def _node_start(state: RunState, event: Event, data: NodeStartData, _: JsonObject) -> RunState:
    node = _node_of(state, event)
    human = data.get("executorType") == "human"
    seconds = read_seconds(node.contract.get("timeoutSeconds")) if human else None
    status = next_node_status(node.status, "start_human" if human else "start", node.id)
    started = changed(
        node,
        status=status,
        attempt=data["attempt"],
        used_version=data.get("usedVersion"),
        due_at=None,
        started_at=event.recorded_at,
        finished_at=None,
        expires_at=event.recorded_at + timedelta(seconds=seconds) if seconds else None,
    )
    return with_node(state, started)


def _node_complete(
    state: RunState, event: Event, data: NodeCompleteData, detail: NodeCompleteDetail
) -> RunState:
    done = completed_node(_node_of(state, event), data.get("output"), event, detail.get("origin"))
    return with_output(_used(state, data.get("usage")), done, data.get("operator"))


def _node_error(state: RunState, event: Event, data: NodeErrorData, detail: NodeErrorDetail) -> RunState:
    node = _node_of(state, event)
    retry = data["willRetry"]
    due_at = data.get("nextAttemptAt")
    lost = bool(detail.get("lost"))
    failed = changed(
        node,
        status=next_node_status(node.status, "retry" if retry else "fail", node.id),
        failures=node.failures + (0 if lost else 1),
        losses=node.losses + (1 if lost else 0),
        lost=_lost(node.lost, event, detail, data["attempt"]),
        front=lost,
        due_at=parse_time(due_at) if due_at else None,
        error=data["error"],
        finished_at=event.recorded_at,
    )
    return with_node(_used(state, data.get("usage")), failed)


def _hitl_request(
    state: RunState, event: Event, data: HitlRequestData, detail: HitlRequestDetail
) -> RunState:
    return people.hitl_request(_used(state, detail.get("usage")), event, data, detail)


def _used(state: RunState, usage: JsonObject | None) -> RunState:
    return state if usage is None else changed(state, usage=add_usage(state.usage, usage))


def _validation_error(
    state: RunState, event: Event, data: ValidationErrorData, detail: ValidationErrorDetail
) -> RunState:
    errors = tuple(data["errors"])
    if data["scope"] == "node":
        return with_node(state, changed(_node_of(state, event), validation_errors=errors))
    state = changed(state, final_attempt=data["attempt"])
    repair = detail.get("repair", [])
    return reset_nodes(state, repair, validation_errors=errors) if repair else state


def _complete(state: RunState, event: Event, data: CompleteData, _: JsonObject) -> RunState:
    nodes = {
        node.id: changed(node, status=next_node_status(node.status, "cancel", node.id))
        if "cancel" in t.NODE[node.status]
        else node
        for node in state.nodes.values()
    }
    return changed(
        state,
        nodes=nodes,
        output=data.get("output"),
        error=data.get("error"),
        plan_in_progress=False,
        completed_at=event.recorded_at,
    )


_FOLDS: dict[EventType, Fold] = {
    "plan_requested": _plan_requested,
    "plan_rejected": _plan_rejected,
    "plan_generated": _plan_accepted,
    "plan_updated": _plan_accepted,
    "node_start": _node_start,
    "node_complete": _node_complete,
    "node_error": _node_error,
    "validation_error": _validation_error,
    "hitl_request": _hitl_request,
    "hitl_expiring": people.hitl_expiring,
    "hitl_resolved": people.hitl_resolved,
    "log": people.log,
    "policy_triggered": policy_triggered,
    "run_paused": people.run_paused,
    "run_resumed": people.run_resumed,
    "priority_changed": people.priority_changed,
    "complete": _complete,
}
