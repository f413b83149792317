"""Questions about the plan's graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runs.copying import changed
from runs.state import NodeState
from runs.transitions import COMPLETED, PENDING, next_node_status


def meet_dependencies(nodes: Mapping[str, NodeState]) -> dict[str, NodeState]:
    """Nodes whose dependencies are all completed become ready."""
    return {
        node.id: changed(node, status=next_node_status(node.status, "dependencies_met", node.id))
        if node.status == PENDING and all(nodes[need].status == COMPLETED for need in node.depends_on)
        else node
        for node in nodes.values()
    }


def downstream(nodes: Mapping[str, NodeState], node_ids: Iterable[str]) -> set[str]:
    """These nodes and everything that depends on them, directly or not."""
    reached = set(node_ids)
    grown = True
    while grown:
        more = {
            node.id for node in nodes.values() if node.id not in reached and reached & set(node.depends_on)
        }
        reached |= more
        grown = bool(more)
    return reached
