"""The house's own policy: rules, limits and forbidden capabilities that an envelope or a fork can only tighten."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Duration, Model, Reference
from schemas.hitl_policy import MAX_APPROVERS
from schemas.json_types import JsonObject
from schemas.plan import DEFAULT_MAX_ATTEMPTS, Diagnostic, MaxAttempts
from schemas.refusal import FieldProblem

CapabilityPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}\*?$")]
"""The id of a capability, or the beginning of ids with `*` behind it."""


class HouseRules(Model):
    """Rules of every request: who may decide, how many must at least, and whether authors may."""

    approvers: Annotated[list[Reference], Field(max_length=MAX_APPROVERS)] = Field(default_factory=list[str])
    quorum: Annotated[int, Field(ge=1, le=100)] = 1
    forbid_submitter: bool = False


class HouseLimits(Model):
    """The most that a run may ask for: seconds until its end, attempts at a node, nodes in its plan."""

    deadline_seconds: Duration | None = None
    max_attempts: MaxAttempts | None = None
    nodes: Annotated[int, Field(ge=1, le=1_000)] | None = None


class HousePolicy(Model):
    """What `FLEXRUN_POLICIES` says. Everything may be left out; `{}` has no rules."""

    requires_hitl_approval: bool = False
    hitl: HouseRules = Field(default_factory=HouseRules)
    limits: HouseLimits = Field(default_factory=HouseLimits)
    forbidden_capabilities: Annotated[list[CapabilityPattern], Field(max_length=1_000)] = Field(
        default_factory=list[str]
    )

    def to_wire(self) -> JsonObject:
        """The document as it was written."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    @property
    def wants_people(self) -> bool:
        """Whether the policy has any rule about approvals."""
        rules = self.hitl
        return bool(
            self.requires_hitl_approval or rules.approvers or rules.quorum > 1 or rules.forbid_submitter
        )

    def forbids(self, capability_id: str) -> bool:
        """Whether no plan may use this capability."""
        return is_among(capability_id, self.forbidden_capabilities)

    def plan_faults(self, plan: JsonObject) -> list[Diagnostic]:
        """What the house forbids in a plan (wire form); `path` is a JSON pointer into the plan."""
        return list(self._plan_faults(plan["nodes"]))

    def _plan_faults(self, nodes: list[JsonObject]) -> Iterator[Diagnostic]:
        most = self.limits.nodes
        if most is not None and len(nodes) > most:
            message = f"The house allows at most {most} nodes, and the plan has {len(nodes)}."
            yield Diagnostic(code="house_policy", message=message, path="/nodes")
        for index, node in enumerate(nodes):
            if self.forbids(node["capabilityId"]):
                message = f"The house forbids the capability {node['capabilityId']}."
                path = f"/nodes/{index}/capabilityId"
                yield Diagnostic(code="capability_forbidden", message=message, path=path)

    def bounded(self, plan: JsonObject) -> JsonObject:
        """The plan with no node tried more often than the house allows."""
        most = self.limits.max_attempts
        if most is None:
            return plan
        return {**plan, "nodes": [_bounded(node, most) for node in plan["nodes"]]}


def is_among(capability_id: str, patterns: Iterable[str]) -> bool:
    """Whether one of these is the id, or a beginning of it with `*` behind."""
    return any(
        capability_id.startswith(each[:-1]) if each.endswith("*") else capability_id == each
        for each in patterns
    )


def _bounded(node: JsonObject, most: int) -> JsonObject:
    contract: JsonObject = node.get("contract") or {}
    if (contract.get("maxAttempts") or DEFAULT_MAX_ATTEMPTS) <= most:
        return node
    return {**node, "contract": {**contract, "maxAttempts": most}}


def house_problem(pointer: str, message: str) -> FieldProblem:
    """A place of an envelope where it is looser than the house allows."""
    return FieldProblem("house_policy", pointer, message)
