"""Whether a plan can be run to its end: its shape, its graph, and whether anybody serves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from planner.planner import JsonObject, diagnostic
from planner.text import as_list, as_object
from schemas.capability import AgentType, QueueName
from schemas.parsing import validate_document
from schemas.plan import PlanGraph, plan_problems
from schemas.pointer import escape
from schemas.refusal import DocumentRefused

_ROUTING: dict[str, TypeAdapter[Any]] = {"queue": TypeAdapter(QueueName), "agentType": TypeAdapter(AgentType)}
"""What a node of a run has beside the model's keys: which group of workers takes it, and what they are."""


def plan_faults(plan: JsonObject, capabilities: Sequence[JsonObject]) -> list[JsonObject]:
    """Everything that keeps `plan` from being run, as diagnostics with `plan_invalid` or the graph's own codes."""
    faults = list(_routing_faults(plan))
    known = {each.get("id") for each in capabilities}
    try:
        graph = validate_document(PlanGraph, _without_routing(plan))
    except DocumentRefused as refused:
        return faults + [diagnostic("plan_invalid", each.message, each.pointer) for each in refused.problems]
    faults += [diagnostic(each.code, each.message, each.path) for each in plan_problems(graph)]
    return faults + [
        diagnostic(
            "capability_missing",
            f"No worker has registered {node.capability_id}.",
            f"/nodes/{index}/capabilityId",
        )
        for index, node in enumerate(graph.nodes)
        if node.capability_id not in known
    ]


def _without_routing(plan: JsonObject) -> JsonObject:
    nodes = [
        {key: value for key, value in as_object(node).items() if key not in _ROUTING}
        for node in as_list(plan.get("nodes"))
    ]
    return {**plan, "nodes": nodes} if nodes else plan


def _routing_faults(plan: JsonObject) -> list[JsonObject]:
    faults: list[JsonObject] = []
    for index, node in enumerate(as_list(plan.get("nodes"))):
        for key, adapter in _ROUTING.items():
            value = as_object(node).get(key)
            try:
                if value is not None:
                    adapter.validate_python(value, strict=True)
            except ValidationError:
                message = f"This is no {key}: {str(value)[:60]!r}."
                faults.append(diagnostic("plan_invalid", message, f"/nodes/{index}/{escape(key)}"))
    return faults
