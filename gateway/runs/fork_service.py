"""Forks and retries: a new run in one append, from what another one had done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID, uuid5

from uuid_utils import uuid7

from contracts.problems import SchemaRefused
from eventstore.capabilities import list_capabilities
from gateway.deps import Gateway
from gateway.errors import PlanInvalid
from gateway.operators import operator_text
from gateway.parsing import in_steps
from gateway.runs.edited_plans import EditedPlans
from gateway.runs.given_facets import check_given_facets
from gateway.runs.idempotency import IdempotencyKey
from gateway.runs.submit import compile_contract, existing_run, pinned_contract
from runs.commands import AcceptPlan, Actor, Command, StartRun
from runs.errors import RunAlreadyStarted
from runs.event import JsonObject
from runs.fork import ForkChange, fork_commands, forked_envelope, retry_commands
from runs.source_problems import facet_source_problems
from runs.state import RunState
from runs.trace import started_in
from runs.wire_nodes import node_to_wire
from schemas.base import Model
from schemas.control import ForkBody, OperatorBody
from schemas.plan import (
    MAX_DEPENDENCIES,
    MAX_NODES,
    MISSPELT_ASSIGNEES,
    OMITTED,
    PlanGraph,
    PlanNode,
    misspelt_assignees,
    plan_problems,
)
from schemas.pointer import escape
from schemas.problem import Located
from schemas.refusal import MAX_PROBLEMS, FieldProblem
from telemetry import tracing

_RETRIES = UUID("b7c0a2c4-6f0e-5b9e-9a55-0d4f5f1f7f10")
_OF_THE_CAPABILITY = (
    ("queue", "queue", "queue"),
    ("agent_type", "agentType", "agentType"),
    ("capability_version", "capabilityVersion", "version"),
    ("idempotent", "idempotent", "idempotent"),
)
"""What a node takes from its capability: its field, its key in the plan, and the key of the descriptor."""

_SHAPE = ("id", "capabilityId", "kind", "label", "dependsOn")


@dataclass(frozen=True, slots=True)
class Forked:
    """The new run; `created` is False where an earlier request has made it."""

    state: RunState
    created: bool


@dataclass(frozen=True, slots=True)
class Forks:
    """Makes new runs from old ones. Raises RunError, GatewayError, ProblemError, CheckerUnavailable, StoreError."""

    gateway: Gateway
    actor: Actor
    check: Callable[[], None]
    """Counts a check of a contract; raises ProblemError where there were too many."""

    admit: Callable[[str, str | None], Awaitable[None]]
    """Lets the new run start, by its id and who starts it; raises ProblemError where that is beyond a limit."""

    async def retry(self, run_id: str, body: OperatorBody, key: IdempotencyKey | None) -> Forked:
        """Once more from the failed nodes. A run is retried once: asked again, the answer is the same new run."""
        new_id = key.run_id if key is not None else str(uuid5(_RETRIES, run_id))
        existing = await self._existing(new_id, key)
        if existing is not None:
            return existing
        original = await existing_run(self.gateway, run_id)
        change = ForkChange(operator=self._operator(body), roles=self.actor.roles, reason=body.reason)
        commands = retry_commands(original, change, self.gateway.deps.clock())
        return await self._start(new_id, self.gateway.acceptance.fork(commands, changed=False), key)

    async def fork(self, run_id: str, body: ForkBody, key: IdempotencyKey | None) -> Forked:
        """A new run that keeps what was completed before `fromNodeId`, with the body's changes."""
        new_id = key.run_id if key is not None else str(uuid7())
        existing = await self._existing(new_id, key) if key is not None else None
        if existing is not None:
            return existing
        original = await existing_run(self.gateway, run_id)
        self.check()
        known = await self.gateway.facets.current()
        await check_given_facets(body.inputs, known, self.gateway.deps.contracts)
        nodes = await self._nodes(body.nodes) if body.nodes is not None else None
        contract, schema_hash = await self._contract(body)
        change = ForkChange(
            operator=self._operator(body),
            roles=self.actor.roles,
            reason=body.reason,
            from_node_id=body.from_node_id,
            inputs=body.inputs,
            policies=as_sent(body.policies) if body.policies is not None else None,
            nodes=nodes,
            contract=contract,
            schema_hash=schema_hash,
        )
        change = replace(change, forbidden=await self._forbidden(original, change))
        if body.plan is not None:
            change = replace(change, plan=await self._plan(original, change, body.plan))
        commands = await in_steps(fork_commands(original, change, self.gateway.deps.clock()))
        if nodes is not None:
            await _require_sound_plan(commands, len(nodes))
        changed = body.policies is not None or body.plan is not None
        return await self._start(new_id, self.gateway.acceptance.fork(commands, changed=changed), key)

    async def _contract(self, body: ForkBody) -> tuple[JsonObject | None, str | None]:
        """Another output contract with the facets that it names, and the hash of its schema. Raises DocumentRefused."""
        if body.output_contract is None:
            return None, None
        contract = await pinned_contract(self.gateway, as_sent(body.output_contract))
        return contract, await compile_contract(self.gateway, contract)

    async def _forbidden(self, original: RunState, change: ForkChange) -> frozenset[str]:
        """The capabilities of the original's nodes that the policies of the fork forbid: by id, tag or home."""
        if change.policies is None:
            return frozenset()
        names = _forbidden_names(forked_envelope(original, change))
        used = {node.capability_id for node in original.nodes.values()}
        listed = await self.gateway.capabilities.current()
        tagged = {str(each["id"]) for each in listed if names & _tags_and_home(each)}
        return frozenset(used & (names | tagged))

    async def _plan(self, original: RunState, change: ForkChange, sent: JsonObject) -> JsonObject:
        """The plan of the body, completed and checked. Raises PlanInvalid with places in the body."""
        deps = self.gateway.deps
        plans = EditedPlans(deps.check_plan, self.gateway.capabilities, deps.contracts)
        base: JsonObject = {
            "nodes": [node_to_wire(node) for node in original.nodes.values()],
            "metadata": original.plan_metadata,
        }
        envelope = forked_envelope(original, change)
        plan, errors = await plans.checked(
            envelope, sent, base, self.gateway.acceptance.house.forbidden_capabilities
        )
        if errors:
            problems = [
                FieldProblem(str(each["keyword"]), f"/plan{each['instancePath']}", str(each["message"]))
                for each in errors
            ]
            raise PlanInvalid("This plan cannot be run.", errors=problems)
        return cast(JsonObject, plan)

    def _operator(self, body: OperatorBody) -> str:
        claimed = operator_text(body.operator)
        return self.actor.name if self.actor.verified or claimed is None else claimed

    async def _existing(self, new_id: str, key: IdempotencyKey | None) -> Forked | None:
        existing = await self.gateway.deps.store.load(new_id, fresh=True)
        if not existing.exists:
            return None
        if key is not None:
            key.require_same_body(existing)
        return Forked(existing, created=False)

    async def _start(self, new_id: str, commands: Sequence[Command], key: IdempotencyKey | None) -> Forked:
        await self.gateway.backlog.check()
        start, *rest = commands
        if key is not None and isinstance(start, StartRun):
            start = replace(start, origin={**(start.origin or {}), **key.origin})
        if isinstance(start, StartRun) and (trace := started_in(tracing.current.get())) is not None:
            start = replace(start, trace={**(start.trace or {}), **trace})
        await self.admit(new_id, start.submitted_by if isinstance(start, StartRun) else None)
        try:
            outcome = await self.gateway.deps.handler.execute(new_id, start, *rest)
        except RunAlreadyStarted:
            existing = await self._existing(new_id, key)
            if existing is None:
                raise
            return existing
        return Forked(outcome.state, created=True)

    async def _nodes(self, nodes: Sequence[PlanNode]) -> list[JsonObject]:
        """The nodes in wire form, each for a capability that is there, each with a contract that can be used."""
        registered = {each["id"]: each for each in await list_capabilities(self.gateway.deps.store)}
        problems: list[Located] = []
        for index, node in enumerate(nodes):
            problems += await self._node_problems(node, f"/nodes/{index}", registered)
            if len(problems) > MAX_PROBLEMS:
                break
        await in_steps(problems)
        if problems:
            raise PlanInvalid("These nodes cannot be run.", errors=problems)
        return await in_steps([_wire(node, registered.get(node.capability_id, {})) for node in nodes])

    async def _node_problems(
        self, node: PlanNode, place: str, registered: Mapping[str, JsonObject]
    ) -> list[Located]:
        problems: list[Located] = list(facet_source_problems(node, place))
        if node.agent_type != "human" and node.capability_id not in registered:
            message = f"No worker has ever registered {node.capability_id!r}."
            problems.append(FieldProblem("capability_unknown", f"{place}/capabilityId", message))
        descriptor = registered.get(node.capability_id, {})
        if "agent_type" not in node.model_fields_set and descriptor.get("agentType") == "human":
            problems += [
                FieldProblem("unknown_key", f"{place}/bundle/{escape(key)}", MISSPELT_ASSIGNEES)
                for key in misspelt_assignees(node.bundle)
            ]
        if node.contract.output is not None:
            try:
                await self.gateway.deps.contracts.compile(node.contract.output)
            except SchemaRefused as refusal:
                problems += [
                    FieldProblem(each.code, f"{place}/contract/output{each.pointer}", each.message)
                    for each in refusal.problems
                ]
        return problems


def _wire(node: PlanNode, descriptor: JsonObject) -> JsonObject:
    """The node as a plan keeps it; queue and agent type are those of the capability unless the body says otherwise."""
    wire: dict[str, Any] = node.to_wire()
    for name, key, source in _OF_THE_CAPABILITY:
        if name not in node.model_fields_set and source in descriptor:
            wire[key] = descriptor[source]
    return wire


def _forbidden_names(envelope: JsonObject) -> set[str]:
    """What `policies.planner.selection.forbid` of an envelope names."""
    part: Any = envelope
    for key in ("policies", "planner", "selection", "forbid"):
        part = cast(JsonObject, part).get(key) if isinstance(part, dict) else None
    return {str(each) for each in cast("list[Any]", part)} if isinstance(part, list) else set()


def _tags_and_home(descriptor: JsonObject) -> set[str]:
    home: JsonObject = descriptor.get("home") or {}
    return {*map(str, descriptor.get("tags") or ()), str(home.get("type") or "python")}


def as_sent(body: Model) -> JsonObject:
    """A model as it was sent: what was left out stays out, so that no default is laid over the original."""
    return body.model_dump(by_alias=True, exclude_unset=True)


async def _require_sound_plan(commands: Sequence[Command], replaced: int) -> None:
    """Raise PlanInvalid where the kept and the new nodes together make no plan that can be run to its end."""
    plan = next((command.plan for command in commands if isinstance(command, AcceptPlan)), None)
    if plan is None:
        raise PlanInvalid("The run has no plan whose nodes could be replaced.")
    kept = len(plan["nodes"]) - replaced
    _require_small_plan(plan["nodes"], kept)
    shape = [{key: node[key] for key in _SHAPE} for node in plan["nodes"]]
    graph = await in_steps(
        PlanGraph.model_validate({"nodes": shape, "edges": plan["edges"]}, by_alias=True, by_name=False)
    )
    problems = [
        FieldProblem(each.code, _in_body(each.path, kept), each.message)
        for each in await in_steps(plan_problems(graph))
    ]
    if problems:
        more = f" {problems.pop().message}" if problems[-1].code == OMITTED else ""
        detail = "The nodes that are kept and these together make no plan that can be run." + more
        raise PlanInvalid(detail, errors=problems)


def _require_small_plan(nodes: Sequence[JsonObject], kept: int) -> None:
    """Raise PlanInvalid where the kept and the new nodes together are more than a plan may have."""
    dependencies = sum(len(node["dependsOn"]) for node in nodes)
    sizes = (
        ("plan_too_many_nodes", "nodes", len(nodes), MAX_NODES),
        ("plan_too_many_dependencies", "dependencies", dependencies, MAX_DEPENDENCIES),
    )
    for code, what, size, limit in sizes:
        if size > limit:
            message = (
                f"With the {kept} nodes that are kept these come to {size} {what}; a plan may have {limit}."
            )
            problem = FieldProblem(code, "/nodes", message)
            raise PlanInvalid(message, errors=[problem])


def _in_body(path: str, kept: int) -> str:
    """From a place in the whole plan to the one in the body, which has only the nodes that are new."""
    root, *rest = path.split("/")[1:] or [""]
    if root != "nodes" or not rest or not rest[0].isdigit() or int(rest[0]) < kept:
        return "/nodes"
    return "/".join(["/nodes", str(int(rest[0]) - kept), *rest[1:]])
