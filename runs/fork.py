"""A fork: a new run that begins with the completed nodes of another one.

Nothing ever follows a `complete`, so a retry is a fork that starts at the failed nodes. The original is only read.
The new run's `start` names it, and its log stands alone: the outputs taken over are events of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from runs import commands as c
from runs.composition import referenced_nodes
from runs.errors import NotReady, ResponseInvalid
from runs.event import JsonObject
from runs.evolve import planned_node
from runs.graph import downstream, in_order
from runs.rules.loosening import (
    MAX_SHOWN,
    Loosened,
    check_loosening,
    loosened_plan,
    loosened_policies,
)
from runs.state import NodeState, RunState
from runs.stored_policies import read_policies
from runs.transitions import ABORTED, COMPLETED, FAILED
from runs.wire_nodes import node_to_wire
from schemas.spelling import suggest


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkChange:
    """What the new run does differently. `nodes` (wire form) replace all nodes that are not kept.

    `operator` and `roles` are those of the person who asks for it: only a person who may decide can loosen rules.
    """

    operator: str
    roles: tuple[str, ...] = ()
    reason: str | None = None
    from_node_id: str | None = None
    inputs: JsonObject | None = None
    policies: JsonObject | None = None
    nodes: list[JsonObject] | None = None


def fork_commands(original: RunState, change: ForkChange, now: datetime) -> list[c.Command]:
    """What to decide on a new run, in one append.

    Raises ResponseInvalid for a change that cannot be made, NotAllowed for one that loosens rules which are not this
    person's to loosen.
    """
    restart = _restart(original, change.from_node_id)
    return _commands(original, change, "fork", restart, now)


def retry_commands(original: RunState, change: ForkChange, now: datetime) -> list[c.Command]:
    """The same for a run that has ended badly: all that was completed is kept. Raises NotReady for any other run."""
    if not original.finished or original.status == COMPLETED:
        raise NotReady(
            f"run {original.run_id} is {original.status}; only a failed or aborted run can be retried"
        )
    return _commands(original, change, "retry", _unfinished(original), now)


def _restart(original: RunState, from_node_id: str | None) -> set[str]:
    if from_node_id is None:
        return _unfinished(original)
    if from_node_id not in original.nodes:
        near = suggest(from_node_id, original.nodes)
        raise ResponseInvalid(f"the plan has no node {from_node_id}{near}", nodes=list(original.nodes))
    return {from_node_id}


def _unfinished(original: RunState) -> set[str]:
    """The nodes that are not done; where all are, those that made the output."""
    unfinished = {node.id for node in original.nodes.values() if node.status != COMPLETED}
    if unfinished or not original.nodes or original.status not in (FAILED, ABORTED):
        return unfinished
    template = original.plan_metadata.get("composition")
    return set(referenced_nodes(template)) if template is not None else {list(original.nodes)[-1]}


def _commands(
    original: RunState, change: ForkChange, kind: str, restart: set[str], now: datetime
) -> list[c.Command]:
    origin: JsonObject = {
        "runId": original.run_id,
        "kind": kind,
        "fromNodeId": change.from_node_id,
        "operator": change.operator,
        "reason": change.reason,
    }
    envelope = _envelope(original, change)
    start = c.StartRun(
        now=now,
        envelope=envelope,
        schema_hash=original.schema_hash,
        thread_id=original.thread_id,
        correlation_id=original.correlation_id,
        submitted_by=change.operator,
        authors=tuple(dict.fromkeys((*original.authors, *original.editors, change.operator))),
        origin=origin,
    )
    loosened = loosened_policies(original.envelope, envelope)
    if not original.nodes or original.replan_reason is not None:
        return _start_commands(original, change, start, loosened)
    again = downstream(original.dependents, restart)
    kept = [node for node in in_order(original.nodes) if node.status == COMPLETED and node.id not in again]
    plan = _plan(original, change, kept, origin)
    # A policy without a name is known by its place, so approvals are carried over among the same policies only.
    same_policies = read_policies(envelope).runtime == original.policies.runtime
    reused = [
        c.ReuseNode(
            now=now,
            node_id=node.id,
            output=node.output,
            origin={
                "runId": original.run_id,
                "attempt": node.attempt,
                "approved": list(node.approved) if same_policies else [],
            },
        )
        for node in kept
    ]
    request = c.RequestPlan(now=now, attempt=1, planner=kind, capability_count=0)
    loosened += _loosened_nodes(original, change, kept)
    accept = c.AcceptPlan(now=now, attempt=1, plan=plan)
    return [*_start_commands(original, change, start, loosened), request, accept, *reused]


def _loosened_nodes(original: RunState, change: ForkChange, kept: list[NodeState]) -> list[Loosened]:
    if change.nodes is None:
        return []
    kept_ids = {node.id for node in kept}
    replaced = [node for node in original.nodes.values() if node.id not in kept_ids]
    return loosened_plan(replaced, (planned_node(node) for node in change.nodes), original.policies)


def _start_commands(
    original: RunState, change: ForkChange, start: c.StartRun, loosened: list[Loosened]
) -> list[c.Command]:
    """The start of the new run, whose log says who loosened what. Raises NotAllowed where they may not loosen it."""
    check_loosening(original, loosened, change.operator, change.roles)
    if not loosened:
        return [start]
    shown = [{"pointer": each.pointer, "message": each.message} for each in loosened[:MAX_SHOWN]]
    message = f"{change.operator} loosened the rules of run {original.run_id}: "
    line = c.RecordLog(
        now=start.now,
        level="warning",
        message=message + " ".join(each["message"] for each in shown),
        detail={"loosened": shown, "operator": change.operator},
    )
    return [replace(start, origin={**(start.origin or {}), "loosened": shown}), line]


def _envelope(original: RunState, change: ForkChange) -> JsonObject:
    envelope = dict(original.envelope)
    for key, laid_over in (("inputs", change.inputs), ("policies", change.policies)):
        if laid_over is not None:
            envelope[key] = {**(envelope.get(key) or {}), **laid_over}
    return envelope


def _plan(original: RunState, change: ForkChange, kept: list[NodeState], origin: JsonObject) -> JsonObject:
    if change.nodes is None:
        nodes = [node_to_wire(node) for node in original.nodes.values()]
    else:
        nodes = [node_to_wire(node) for node in kept] + change.nodes
    metadata = {**original.plan_metadata, "forkedFrom": origin["runId"]}
    if (original.plan_version or 1) > 1 or "forkedFromUpdate" in original.plan_metadata:
        metadata["forkedFromUpdate"] = True
    missing = set(referenced_nodes(metadata.get("composition"))) - {node["id"] for node in nodes}
    if missing:
        raise ResponseInvalid(
            f"the output is composed from {', '.join(sorted(missing))}; the changed plan needs these nodes",
            nodes=sorted(missing),
        )
    edges = [{"from": need, "to": node["id"]} for node in nodes for need in node.get("dependsOn", [])]
    return {"nodes": nodes, "edges": edges, "metadata": metadata}
