"""What a condition can read of a run: docs/policies.md describes the same for its authors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from runs.event import Event, Json, JsonObject, rfc3339
from runs.state import NodeState, RunState, attempts_of
from runs.transitions import COMPLETED
from runs.usage import UsedTogether


def condition_context(
    state: RunState, event: Event | None, node: NodeState | None, output: Json = None
) -> Mapping[str, Callable[[], Any]]:
    """The parts of the context, each made when a condition reads it; `output` is the node's, where there is a node."""
    shown = node.output if node is not None else output
    return {
        "run": lambda: _run(state),
        "plan": lambda: _plan(state),
        "node": lambda: _node(node) if node is not None else None,
        "output": lambda: shown,
        "usage": lambda: usage_of(state.usage),
        "metrics": lambda: metrics_of(shown),
        "event": lambda: _event(event),
    }


def _run(state: RunState) -> JsonObject:
    metadata: JsonObject = state.envelope.get("metadata") or {}
    nodes = state.nodes.values()
    return {
        "id": state.run_id,
        "status": state.status,
        "objective": state.envelope.get("objective"),
        "inputs": state.envelope.get("inputs") or {},
        "metadata": metadata,
        "createdAt": rfc3339(state.created_at) if state.created_at is not None else None,
        "nodes": len(nodes),
        "nodesCompleted": sum(node.status == COMPLETED for node in nodes),
        "attempts": attempts_of(state),
        "failures": sum(node.failures for node in nodes),
        "firings": dict(state.firings),
    }


def _plan(state: RunState) -> JsonObject | None:
    if state.plan_version is None:
        return None
    return {
        "version": state.plan_version,
        "metadata": state.plan_metadata,
        "nodes": [
            {"id": node.id, "kind": node.kind, "capabilityId": node.capability_id, "status": node.status}
            for node in state.nodes.values()
        ],
    }


def _node(node: NodeState) -> JsonObject:
    return {
        "id": node.id,
        "kind": node.kind,
        "capabilityId": node.capability_id,
        "capabilityVersion": node.capability_version,
        "label": node.label,
        "status": node.status,
        "attempt": node.attempt,
        "failures": node.failures,
        "error": node.error,
        "validationErrors": list(node.validation_errors),
    }


def usage_of(used: UsedTogether) -> JsonObject:
    """The sums of the run, `tokens` being both kinds together."""
    return {
        "attempts": used.attempts,
        "inputTokens": used.input_tokens,
        "outputTokens": used.output_tokens,
        "tokens": used.input_tokens + used.output_tokens,
        "seconds": used.seconds,
        "costMicros": dict(used.cost_micros),
    }


def metrics_of(output: Json) -> dict[str, float]:
    """The numbers that an output reports: those at its top, and over them those in its `metrics`."""
    if not isinstance(output, dict):
        return {}
    members = cast(JsonObject, output)
    own: Any = members.get("metrics")
    nested = cast(JsonObject, own) if isinstance(own, dict) else {}
    return {
        name: value
        for part in (members, nested)
        for name, value in part.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _event(event: Event | None) -> JsonObject | None:
    if event is None:
        return None
    errors = event.payload.get("errors")
    return {"type": event.type, "errors": errors} if errors is not None else {"type": event.type}
