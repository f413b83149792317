"""Questions about the plan's graph. Each takes time linear in what it reads: a plan may come from a stranger's fork."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runs.state import NodeState
from runs.transitions import COMPLETED, PENDING, next_node_status
from runs.values import changed

Dependents = Mapping[str, tuple[str, ...]]
"""Node id → the ids of the nodes that depend on it directly; nodes without any are left out."""


def dependents_of(nodes: Mapping[str, NodeState]) -> Dependents:
    """The graph read the other way round, once for each plan."""
    found: dict[str, list[str]] = {}
    for node in nodes.values():
        for need in node.depends_on:
            found.setdefault(need, []).append(node.id)
    return {need: tuple(node_ids) for need, node_ids in found.items()}


def meet_dependencies(
    nodes: Mapping[str, NodeState], node_ids: Iterable[str], *done: NodeState
) -> dict[str, NodeState]:
    """Put the nodes that are `done` in their places; those of these nodes whose dependencies are all completed become
    ready.
    """
    met = dict(nodes)
    for node in done:
        met[node.id] = node
    for node_id in node_ids:
        node = met[node_id]
        if node.status == PENDING and all(met[need].status == COMPLETED for need in node.depends_on):
            met[node_id] = changed(node, status=next_node_status(PENDING, "dependencies_met", node_id))
    return met


def downstream(dependents: Dependents, node_ids: Iterable[str]) -> set[str]:
    """These nodes and everything that depends on them, directly or not."""
    reached = set(node_ids)
    waiting = list(reached)
    while waiting:
        more = [each for each in dependents.get(waiting.pop(), ()) if each not in reached]
        reached.update(more)
        waiting.extend(more)
    return reached


def upstream(nodes: Mapping[str, NodeState], node_ids: Iterable[str]) -> set[str]:
    """These nodes and everything that they depend on, directly or not."""
    reached = set(node_ids)
    waiting = list(reached)
    while waiting:
        more = [each for each in nodes[waiting.pop()].depends_on if each not in reached]
        reached.update(more)
        waiting.extend(more)
    return reached


def in_order(nodes: Mapping[str, NodeState]) -> list[NodeState]:
    """The nodes, each after those it depends on, and otherwise as they stand in the plan."""
    ordered: dict[str, NodeState] = {}
    for first in nodes.values():
        stack: list[tuple[NodeState, Iterator[str]]] = [(first, iter(first.depends_on))]
        while stack:
            node, needs = stack[-1]
            need = next((each for each in needs if each not in ordered), None)
            if need is not None and node.id not in ordered:
                stack.append((nodes[need], iter(nodes[need].depends_on)))
            else:
                ordered.setdefault(node.id, node)
                stack.pop()
    return list(ordered.values())
