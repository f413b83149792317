"""Whether a plan can be run to its end: its shape, its graph, and whether a worker serves it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from planner.planner import JsonObject, diagnostic
from schemas.parsing import validate_document
from schemas.plan import PlanGraph, plan_problems
from schemas.refusal import MAX_PROBLEMS, DocumentRefused


def plan_faults(
    plan: JsonObject, capabilities: Sequence[JsonObject], done: Collection[str] = ()
) -> list[JsonObject]:
    """Everything that keeps `plan` from being run, as diagnostics with `plan_invalid` or the graph's own codes.

    The nodes in `done` are completed already. At most `MAX_PROBLEMS` are listed.
    """
    return list(islice(_faults(plan, capabilities, done), MAX_PROBLEMS))


def _faults(
    plan: JsonObject, capabilities: Sequence[JsonObject], done: Collection[str]
) -> Iterator[JsonObject]:
    known = {each.get("id") for each in capabilities}
    try:
        graph = validate_document(PlanGraph, plan)
    except DocumentRefused as refused:
        yield from (diagnostic("plan_invalid", each.message, each.pointer) for each in refused.problems)
        return
    yield from (diagnostic(each.code, each.message, each.path) for each in plan_problems(graph))
    for index, node in enumerate(graph.nodes):
        if node.capability_id not in known and node.id not in done:
            message = f"No worker has registered {node.capability_id}."
            yield diagnostic("capability_missing", message, f"/nodes/{index}/capabilityId")
