"""LinkedIn envelopes, and a run of their plans with the stubs and without any engine: planned, worked on, composed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema

from executor.capability import CapabilityContext
from executor.stubs.shipped import stub_capabilities
from planner.checking import plan_faults
from planner.planner import PlanContext, PlanRefused
from planner.skeleton import SkeletonPlanner
from runs import commands as c
from runs.bundle import context_bundle
from runs.composition import composed_output
from runs.decide import step
from runs.state import RunState, new_run
from schemas.contract_schema import effective_schema

EXAMPLES = Path(__file__).parents[2] / "examples"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RUN_ID = "01900000-0000-7000-8000-000000000001"

STUBS = {capability.descriptor.id: capability for capability in stub_capabilities()}
REGISTERED: list[dict[str, Any]] = [capability.descriptor.to_wire() for capability in STUBS.values()]

POST = {
    "type": "object",
    "required": ["headline", "body", "callToAction"],
    "properties": {name: {"type": "string"} for name in ("headline", "body", "callToAction")},
}


def example(name: str) -> dict[str, Any]:
    """One of the envelopes in examples/."""
    envelope: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    return envelope


def contract_for(schema: Any) -> dict[str, Any]:
    """A contract with this schema."""
    return {"mode": "json_schema", "schema": schema}


def array_of(items: Any, **limits: int) -> dict[str, Any]:
    """The schema of an array."""
    return {"type": "array", "items": items, **limits}


def object_of(properties: Mapping[str, Any], *, closed: bool = True) -> dict[str, Any]:
    """The schema of an object that requires all of these properties."""
    schema = {"type": "object", "required": list(properties), "properties": dict(properties)}
    return {**schema, "additionalProperties": False} if closed else schema


VARIANTS = object_of({"variants": array_of(POST)})


def envelope(schema: Any = None, /, **changes: Any) -> dict[str, Any]:
    """The envelope of examples/linkedin-variants.json with another contract, and with other top-level keys."""
    made = example("linkedin-variants")
    if schema is not None:
        made["outputContract"] = contract_for(schema)
    return {**made, **changes}


def with_inputs(schema: Any = None, /, **inputs: Any) -> dict[str, Any]:
    """`envelope` with other inputs, without instructions; None takes an input away."""
    made = envelope(schema, specialInstructions=[])
    merged = {**made["inputs"], **inputs}
    return {**made, "inputs": {name: value for name, value in merged.items() if value is not None}}


def plan_of(task: dict[str, Any], context: PlanContext | None = None) -> dict[str, Any]:
    """The skeleton's plan, checked. Raises PlanRefused."""
    plan = SkeletonPlanner().plan(task, REGISTERED, context or PlanContext(RUN_ID))
    assert plan_faults(plan, REGISTERED) == []
    return plan


def refusal_of(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The diagnostics with which the skeleton refuses."""
    try:
        plan = plan_of(task)
    except PlanRefused as refused:
        return refused.diagnostics
    raise AssertionError(f"a plan was made: {plan['metadata']}")


@dataclass(frozen=True, slots=True)
class Finished:
    """A plan that was carried out."""

    plan: dict[str, Any]
    state: RunState
    output: Any

    def of(self, node_id: str) -> Any:
        """The output of a node."""
        return self.state.nodes[node_id].output


def carry_out(task: dict[str, Any]) -> Finished:
    """Plan, run every node with its stub in the order of the graph, compose.

    Every output is checked against its node's contract and the whole against the caller's, by a library that the
    engine does not use.
    """
    plan = plan_of(task)
    commands = (
        c.StartRun(now=NOON, envelope=task, schema_hash=None),
        c.RequestPlan(now=NOON, attempt=1, planner="skeleton", capability_count=len(REGISTERED)),
        c.AcceptPlan(now=NOON, attempt=1, plan=plan),
    )
    _, state = step(new_run(RUN_ID), commands)
    while ready := [node for node in state.nodes.values() if node.status == "ready"]:
        for node in ready:
            state = _work(state, node.id)
    output = composed_output(state)
    jsonschema.validate(output, effective_schema(task["outputContract"]))
    return Finished(plan, state, output)


def _work(state: RunState, node_id: str) -> RunState:
    _, state = step(state, [c.StartNode(now=NOON, node_id=node_id, attempt=1)])
    node = state.nodes[node_id]
    context = CapabilityContext(context_bundle(state, node))
    output = asyncio.run(_run(STUBS[node.capability_id], context))
    contract = node.contract["output"]
    jsonschema.validate(output, True if contract is None else contract)
    done = c.CompleteNode(now=NOON, node_id=node_id, attempt=1, output=output, duration_ms=1)
    return step(state, [done])[1]


async def _run(capability: Any, context: CapabilityContext) -> Any:
    return await capability.run(context)
