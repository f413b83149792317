"""Changes of nodes that several events share: a node is changed, completed, or made to run again."""

from __future__ import annotations

from collections.abc import Iterable

from runs import transitions as t
from runs.event import Event, JsonObject
from runs.event_data import AnswerData, ReuseOrigin
from runs.graph import downstream, meet_dependencies
from runs.state import NodeState, RunState
from runs.transitions import next_node_status
from runs.values import changed

MAX_ANSWERS = 50
"""How many answers of people a node keeps for its bundle: the last ones."""

_JUDGING = frozenset({"validation", "routing"})
"""Kinds of nodes whose output is about the work of others: it makes nobody an author."""


def with_node(state: RunState, node: NodeState) -> RunState:
    return changed(state, nodes={**state.nodes, node.id: node})


def with_output(state: RunState, done: NodeState, writer: str | None) -> RunState:
    """The node is done; a person who wrote its output is an author. A judgement on the work of others is no work."""
    if writer is not None and done.kind not in _JUDGING and writer not in state.authors:
        state = changed(state, authors=(*state.authors, writer))
    return changed(state, nodes=meet_dependencies(state.nodes, state.dependents.get(done.id, ()), done))


def completed_node(
    node: NodeState, output: object, event: Event, origin: ReuseOrigin | None = None
) -> NodeState:
    trigger = "reuse" if origin else "complete"
    return changed(
        node,
        status=next_node_status(node.status, trigger, node.id),
        output=output,
        error=None,
        lost=(),
        validation_errors=(),
        finished_at=event.recorded_at,
        approved=tuple(origin.get("approved", ())) if origin else (),
    )


def rerun_nodes(
    state: RunState, node_ids: Iterable[str], *, answer: AnswerData | None = None, fresh: bool = False
) -> RunState:
    """Make nodes run again in any status, and what depends on them wait; attempts in flight are stale then.

    `fresh` nodes have all their attempts again, others one more.
    """
    again = dict.fromkeys(node_ids)
    nodes = dict(state.nodes)
    for node_id in downstream(state.dependents, again):
        node = nodes[node_id]
        trigger = "repair" if node_id in again else "await_repair"
        if node.status in (t.READY, t.PENDING) and node_id in again:
            continue
        if trigger in t.NODE[node.status]:
            failures = 0 if fresh or node_id not in again else node.failures
            status = next_node_status(node.status, trigger, node_id)
            nodes[node_id] = changed(node, status=status, failures=failures, due_at=None, front=False)
    for node_id in again:
        node = nodes[node_id]
        ready = all(nodes[need].status == t.COMPLETED for need in node.depends_on)
        answers = (*node.answers, answer)[-MAX_ANSWERS:] if answer else node.answers
        nodes[node_id] = changed(node, status=t.READY if ready else t.PENDING, answers=answers)
    return changed(state, nodes=nodes)


def reset_nodes(
    state: RunState,
    node_ids: Iterable[str],
    *,
    validation_errors: tuple[JsonObject, ...] = (),
    answer: AnswerData | None = None,
) -> RunState:
    """Make nodes run again, with the errors or the answer in their bundle; what depends on them waits."""
    again = dict.fromkeys(node_ids)
    nodes = dict(state.nodes)
    for node_id in downstream(state.dependents, again) - again.keys():
        if nodes[node_id].status in (t.COMPLETED, t.READY):
            status = next_node_status(nodes[node_id].status, "await_repair", node_id)
            nodes[node_id] = changed(nodes[node_id], status=status, failures=0)
    for node_id in again:
        node = nodes[node_id]
        trigger = "answer" if node.status == t.AWAITING_HITL else "repair"
        nodes[node_id] = changed(
            node,
            status=next_node_status(node.status, trigger, node_id),
            failures=0,
            validation_errors=validation_errors or node.validation_errors,
            answers=(*node.answers, answer)[-MAX_ANSWERS:] if answer else node.answers,
        )
    for node_id in again:
        # Only now: what it depends on may be made to run again as well.
        if any(nodes[need].status != t.COMPLETED for need in nodes[node_id].depends_on):
            nodes[node_id] = changed(nodes[node_id], status=t.PENDING)
    return changed(state, nodes=nodes)
