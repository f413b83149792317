"""A fork: a new run that begins with the completed nodes of another one.

Nothing ever follows a `complete`, so a retry is a fork that starts at the failed nodes. The original is only read.
The new run's `start` names it, and its log stands alone: the outputs taken over are events of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from runs import commands as c
from runs.composition import referenced_nodes
from runs.errors import NotReady, ResponseInvalid
from runs.event import JsonObject
from runs.event_data import ReusableData, ReuseOrigin
from runs.evolve import planned_node
from runs.fork_reuse import and_what_follows, judge, reads_changed_inputs, reusable_nodes
from runs.replans import MADE_KEY
from runs.rules.loosening import (
    MAX_SHOWN,
    Loosened,
    check_loosening,
    loosened_plan,
    loosened_policies,
)
from runs.state import NodeState, RunState
from runs.stored_policies import read_policies
from runs.trace import run_span
from runs.transitions import ABORTED, COMPLETED, FAILED
from runs.wire_nodes import node_to_wire
from schemas.planner_policies import PLANNED_BY
from schemas.spelling import suggest


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkChange:
    """What the new run does differently. `nodes` (wire form) replace all nodes that are not kept, `plan` all of them.

    `contract` is another output contract, with its `schema_hash`; `forbidden` are capabilities that the policies of the
    new run forbid.

    `operator` and `roles` are those of the person who asks for it: only a person who may decide can loosen rules.
    """

    operator: str
    roles: tuple[str, ...] = ()
    reason: str | None = None
    from_node_id: str | None = None
    inputs: JsonObject | None = None
    policies: JsonObject | None = None
    nodes: list[JsonObject] | None = None
    contract: JsonObject | None = None
    schema_hash: str | None = None
    plan: JsonObject | None = None
    forbidden: frozenset[str] = frozenset()

    @property
    def alters_nothing(self) -> bool:
        """Whether the plan and all that it goes by stay as they are."""
        changes = (self.inputs, self.policies, self.nodes, self.contract, self.plan)
        return all(each is None for each in changes)


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
    envelope = forked_envelope(original, change)
    start = c.StartRun(
        now=now,
        envelope=envelope,
        schema_hash=change.schema_hash if change.contract is not None else original.schema_hash,
        thread_id=original.thread_id,
        correlation_id=original.correlation_id,
        submitted_by=change.operator,
        authors=tuple(dict.fromkeys((*original.authors, *original.editors, change.operator))),
        origin=origin,
        tenant=original.tenant,
        trace=None if original.trace is None else {"origin": run_span(original).traceparent},
    )
    loosened = loosened_policies(original.envelope, envelope)
    if not original.nodes:
        return _start_commands(original, change, start, loosened)
    anew = _made_anew(original, change, restart, envelope)
    # A policy without a name is known by its place, so approvals are carried over among the same policies only.
    same_policies = read_policies(envelope).runtime == original.policies.runtime
    if _wants_another_plan(original, change, envelope):
        reuse = judge(original.nodes, original.nodes, anew)
        reusable: ReusableData = {
            "nodes": reusable_nodes(reuse, same_policies=same_policies),
            "metadata": {key: each for key, each in original.plan_metadata.items() if key == MADE_KEY},
            "anew": dict(reuse.why_not),
        }
        return _start_commands(original, change, replace(start, reusable=reusable), loosened)
    reuse = judge(original.nodes, _planned(original, change), anew)
    plan = _plan(original, change, list(reuse.reused), origin)
    loosened += _loosened_nodes(original, change, list(reuse.reused))
    return [
        *_start_commands(original, change, start, loosened),
        c.RequestPlan(now=now, attempt=1, planner=kind, capability_count=0),
        c.AcceptPlan(
            now=now,
            attempt=1,
            plan=plan,
            approval=original.plan_approval if change.alters_nothing else None,
            reuse=reuse.data(original.run_id),
        ),
        *(_reuse(original, node, now, same_policies=same_policies) for node in reuse.reused),
    ]


def _reuse(original: RunState, node: NodeState, now: datetime, *, same_policies: bool) -> c.ReuseNode:
    origin: ReuseOrigin = {
        "runId": original.run_id,
        "attempt": node.attempt,
        "approved": list(node.approved) if same_policies else [],
    }
    return c.ReuseNode(now=now, node_id=node.id, output=node.output, origin=origin)


def _made_anew(
    original: RunState, change: ForkChange, restart: set[str], envelope: JsonObject
) -> dict[str, str]:
    """The nodes that are done again whatever the plan is, each with why."""
    reasons: dict[str, str] = {}
    before: JsonObject = original.envelope.get("inputs") or {}
    after: JsonObject = envelope.get("inputs") or {}
    for node in original.nodes.values():
        if node.status != COMPLETED:
            reasons[node.id] = "it has failed" if node.status == FAILED else "it was not completed"
        elif node.id in restart:
            begins = node.id == change.from_node_id
            reasons[node.id] = "the fork begins with it" if begins else "its output is not wanted as it is"
        elif node.capability_id in change.forbidden:
            reasons[node.id] = f"the policies forbid {node.capability_id}"
        elif change.from_node_id is None and reads_changed_inputs(node, before, after):
            reasons[node.id] = "it has read inputs that are others now"
    return and_what_follows(original, reasons)


def _wants_another_plan(original: RunState, change: ForkChange, envelope: JsonObject) -> bool:
    """Whether the plan cannot be taken over: the contract or what the planner goes by is another one."""
    if change.plan is not None or change.nodes is not None:
        return False
    before, after = _planned_by(original.envelope), _planned_by(envelope)
    return change.contract is not None or before != after or original.replan_reason is not None


def _planned_by(envelope: JsonObject) -> JsonObject:
    policies: JsonObject = envelope.get("policies") or {}
    planner: Any = policies.get("planner")
    told = cast(JsonObject, planner) if isinstance(planner, dict) else {}
    return {key: told[key] for key in PLANNED_BY if key in told}


def _planned(original: RunState, change: ForkChange) -> Mapping[str, NodeState]:
    """The nodes of the plan by which it is judged what is reused; `nodes` come beside all that is kept."""
    if change.plan is None:
        return original.nodes
    return {node["id"]: planned_node(node) for node in change.plan["nodes"]}


def _loosened_nodes(original: RunState, change: ForkChange, kept: list[NodeState]) -> list[Loosened]:
    if change.nodes is None and change.plan is None:
        return []
    kept_ids = {node.id for node in kept}
    replaced = [node for node in original.nodes.values() if node.id not in kept_ids]
    brought: list[JsonObject] = change.nodes if change.nodes is not None else (change.plan or {})["nodes"]
    others = (planned_node(node) for node in brought if node["id"] not in kept_ids)
    found = loosened_plan(replaced, others, original.policies)
    place = "/nodes" if change.plan is None else "/plan/nodes"
    return [Loosened(place, each.message) for each in found]


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


def forked_envelope(original: RunState, change: ForkChange) -> JsonObject:
    """The envelope of the new run."""
    envelope = dict(original.envelope)
    for key, laid_over in (("inputs", change.inputs), ("policies", change.policies)):
        if laid_over is not None:
            envelope[key] = {**(envelope.get(key) or {}), **laid_over}
    if change.contract is not None:
        envelope["outputContract"] = change.contract
    return envelope


def _plan(original: RunState, change: ForkChange, kept: list[NodeState], origin: JsonObject) -> JsonObject:
    if change.plan is not None:
        nodes: list[JsonObject] = change.plan["nodes"]
    elif change.nodes is not None:
        nodes = [node_to_wire(node) for node in kept] + change.nodes
    else:
        nodes = [node_to_wire(node) for node in original.nodes.values()]
    told = change.plan["metadata"] if change.plan is not None else original.plan_metadata
    metadata = {**told, "forkedFrom": origin["runId"]}
    if change.nodes is not None:
        metadata.pop(MADE_KEY, None)  # nodes of the same name may make something else
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
