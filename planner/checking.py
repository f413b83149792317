"""Whether a plan can be run to its end: its shape, its graph, and whether anybody serves it."""

from __future__ import annotations

from collections.abc import Sequence

from planner.planner import JsonObject, diagnostic
from schemas.parsing import validate_document
from schemas.plan import PlanGraph, plan_problems
from schemas.refusal import DocumentRefused


def plan_faults(plan: JsonObject, capabilities: Sequence[JsonObject]) -> list[JsonObject]:
    """Everything that keeps `plan` from being run, as diagnostics with `plan_invalid` or the graph's own codes."""
    known = {each.get("id") for each in capabilities}
    try:
        graph = validate_document(PlanGraph, plan)
    except DocumentRefused as refused:
        return [diagnostic("plan_invalid", each.message, each.pointer) for each in refused.problems]
    faults = [diagnostic(each.code, each.message, each.path) for each in plan_problems(graph)]
    return faults + [
        diagnostic(
            "capability_missing",
            f"No worker has registered {node.capability_id}.",
            f"/nodes/{index}/capabilityId",
        )
        for index, node in enumerate(graph.nodes)
        if node.capability_id not in known
    ]
