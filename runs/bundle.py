"""The ContextBundle: everything that a capability gets about its node. A function of the state."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from runs.event import Json, JsonObject, rfc3339
from runs.facet_sources import FACETS_KEY, facets_of
from runs.state import NodeState, RunState


def node_context(state: RunState, node: NodeState) -> JsonObject:
    """The bundle without the outputs of other nodes: what the read model keeps (an output is kept with its node)."""
    envelope = state.envelope
    context: JsonObject = {
        "runId": state.run_id,
        "nodeId": node.id,
        "attempt": node.attempt,
        "objective": envelope.get("objective"),
        "policies": envelope.get("policies") or {},
        "specialInstructions": envelope.get("specialInstructions") or [],
        "metadata": envelope.get("metadata") or {},
        "contract": node.contract,
        "dependsOn": list(node.depends_on),
        "bundle": node.bundle,
    }
    if node.validation_errors:
        context["previousErrors"] = list(node.validation_errors)
    if node.error is not None:
        context["previousError"] = node.error
    if node.answers:
        context["answers"] = list(node.answers)
    return context


def context_bundle(state: RunState, node: NodeState, deadline: datetime | None = None) -> JsonObject:
    """What the capability gets: `node_context`, the inputs and the outputs of the nodes it depends on.

    `inputs` is the slice that `bundle.inputKeys` names, or all of them. `dependencies` maps the id of each node this
    one depends on to its output. Where `bundle.facets` says where facets come from (`runs.facet_sources`), there are
    `facets` in the place of `dependencies`. `deadline` is when the attempt is cut off.
    """
    inputs: JsonObject = state.envelope.get("inputs") or {}
    keys = node.bundle.get("inputKeys")
    outputs: dict[str, Json] = {need: state.nodes[need].output for need in node.depends_on}
    context = node_context(state, node)
    if state.correlation_id is not None:
        context["correlationId"] = state.correlation_id
    if deadline is not None:
        context["deadline"] = rfc3339(deadline)
    context["inputs"] = _slice(inputs, cast("list[Json]", keys)) if isinstance(keys, list) else inputs
    sources = node.bundle.get(FACETS_KEY)
    if sources is None:
        return {**context, "dependencies": outputs}
    own = {key: value for key, value in node.bundle.items() if key not in _READ_HERE}
    return {**context, "bundle": own, "facets": facets_of(sources, inputs, outputs)}


_READ_HERE = frozenset({FACETS_KEY, "inputKeys"})


def _slice(inputs: JsonObject, keys: list[Json]) -> JsonObject:
    return {key: inputs[key] for key in keys if isinstance(key, str) and key in inputs}
