"""Which nodes a policy is about."""

from __future__ import annotations

from typing import Any, cast

from runs.state import NodeState
from schemas.policy_triggers import Selector


def selects(selector: Selector, node: NodeState | None) -> bool:
    """Whether all that the selector names fits the node; one that names nothing fits also where there is no node."""
    if selector.any_node:
        return True
    if node is None:
        return False
    facts = (
        (selector.node_id, node.id),
        (selector.capability_id, node.capability_id),
        (selector.kind, node.kind),
    )
    if any(wanted is not None and wanted != found for wanted, found in facts):
        return False
    return selector.facet is None or selector.facet in _properties(node)


def _properties(node: NodeState) -> dict[str, Any]:
    """The properties of the node's output, as its contract names them."""
    schema: Any = node.contract.get("output")
    found: Any = cast("dict[str, Any]", schema).get("properties") if isinstance(schema, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
