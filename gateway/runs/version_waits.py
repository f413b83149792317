"""Nodes that wait because no process has the version of their capability that the plan was made for."""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.capabilities import CapabilityRow
from eventstore.capability_cache import CapabilityCache
from eventstore.queries.runs import NodeRow
from runs.transitions import READY
from schemas.same_contract import can_stand_in


def version_waits(capabilities: CapabilityCache, nodes: Iterable[NodeRow]) -> dict[str, str]:
    """Node id → what the node waits for, in words; from the registry as it is known here."""
    found: dict[str, str] = {}
    for node in nodes:
        if node.status == READY and node.executor_type != "human" and node.capability_version is not None:
            words = _words(capabilities.versions(node.capability_id), node)
            if words is not None:
                found[node.node_id] = words
    return found


def _words(rows: list[CapabilityRow], node: NodeRow) -> str | None:
    wanted = f"waits for version {node.capability_version} of {node.capability_id}"
    planned = next((row for row in rows if row.version == node.capability_version), None)
    others = [row for row in rows if row is not planned and not row.disabled]
    if planned is None:
        return None if others else f"{wanted}: no version is registered and enabled"
    if planned.disabled:
        return f"{wanted}, which is disabled"
    if planned.status != "silent" or any(_takes_over(row, planned) for row in others):
        return None
    unlike = [row for row in others if not can_stand_in(planned.descriptor, row.descriptor)]
    there = f"; {unlike[0].version} takes or gives something else" if unlike else ""
    return f"{wanted}, which no process serves{there}"


def _takes_over(row: CapabilityRow, planned: CapabilityRow) -> bool:
    return row.status != "silent" and can_stand_in(planned.descriptor, row.descriptor)
