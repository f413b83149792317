"""The support world of examples/support, planned and worked on without an engine."""

from __future__ import annotations

import asyncio
from typing import Any

import jsonschema
import yaml

from executor.capability import CapabilityContext
from executor.homes.python import PythonCapability
from executor.loading import load
from flexrun_sdk.capability import CapabilityFunction
from planner.checking import plan_faults
from planner.planner import JsonObject, PlanContext
from planner.skeleton import SkeletonPlanner
from runs import commands as c
from runs.bundle import context_bundle
from runs.composition import composed_output
from runs.decide import step
from runs.state import RunState, new_run
from schemas.capability import CapabilityDescriptor
from schemas.contract_schema import effective_schema
from schemas.parsing import validate_document
from tests.support.linkedin import EXAMPLES, NOON, RUN_ID

FOLDER = EXAMPLES / "support"
APPROVAL = {"approved": True, "comments": "Fine."}


def functions() -> list[CapabilityFunction]:
    """The functions of the example."""
    return load([str(FOLDER / "capabilities.py")])


def registered() -> tuple[list[JsonObject], dict[str, JsonObject]]:
    """The descriptors and the facets of the example, as the registry has them."""
    found = functions()
    people = validate_document(CapabilityDescriptor, yaml.safe_load((FOLDER / "people.yaml").read_text()))
    descriptors = [PythonCapability(each).descriptor.to_wire() for each in found]
    facets = {
        each["name"]: {"version": each["version"], "many": False, "schema": each["schema"]}
        for function in found
        for each in function.facets
    }
    return [*descriptors, people.to_wire()], facets


def plan_support(envelope: JsonObject) -> JsonObject:
    """The plan of an envelope in this world, checked. Raises PlanRefused."""
    descriptors, facets = registered()
    plan = SkeletonPlanner().plan(envelope, descriptors, PlanContext(RUN_ID, facets=facets))
    assert plan_faults(plan, descriptors) == []
    return plan


def carry_out_support(envelope: JsonObject) -> Any:
    """The output, each node's and the whole checked by a library that the engine does not use."""
    plan = plan_support(envelope)
    workers = {each.descriptor.id: each for each in map(PythonCapability, functions())}
    commands = (
        c.StartRun(now=NOON, envelope=envelope, schema_hash=None),
        c.RequestPlan(now=NOON, attempt=1, planner="skeleton", capability_count=6),
        c.AcceptPlan(now=NOON, attempt=1, plan=plan),
    )
    _, state = step(new_run(RUN_ID), commands)
    while ready := [node for node in state.nodes.values() if node.status == "ready"]:
        for node in ready:
            state = _work(state, node.id, workers)
    output = composed_output(state)
    jsonschema.validate(output, effective_schema(envelope["outputContract"]))
    return output


def _work(state: RunState, node_id: str, workers: dict[str, PythonCapability]) -> RunState:
    _, state = step(state, [c.StartNode(now=NOON, node_id=node_id, attempt=1)])
    node = state.nodes[node_id]
    if node.executor_type == "human":
        task = c.SubmitTask(now=NOON, node_id=node_id, output=APPROVAL, actor=c.Actor("anna"))
        return step(state, [task])[1]
    context = CapabilityContext(context_bundle(state, node))
    output = asyncio.run(workers[node.capability_id].run(context))
    contract = node.contract["output"]
    jsonschema.validate(output, True if contract is None else contract)
    return step(state, [c.CompleteNode(now=NOON, node_id=node_id, attempt=1, output=output, duration_ms=1)])[
        1
    ]
