"""A node of the plan in force as the plan had it."""

from __future__ import annotations

from runs.event import JsonObject
from runs.state import NodeState


def node_to_wire(node: NodeState) -> JsonObject:
    """The node in the form in which plans have it: what has happened to it is left out."""
    return {
        "id": node.id,
        "capabilityId": node.capability_id,
        "kind": node.kind,
        "label": node.label,
        "dependsOn": list(node.depends_on),
        "contract": node.contract,
        "bundle": node.bundle,
        "queue": node.queue,
        "agentType": "human" if node.executor_type == "human" else "ai",
        **({"capabilityVersion": node.capability_version} if node.capability_version else {}),
        **({} if node.idempotent else {"idempotent": False}),
    }
