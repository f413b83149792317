"""The PlanGraph: which capabilities work on a run, and who waits for whom."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas import pointer
from schemas.base import AS_SENT, JsonSchema, Model, NodeId, Note, OpenModel, Reference, flaw, refused
from schemas.payload_marks import PAYLOAD
from schemas.refusal import MAX_PROBLEMS
from schemas.spelling import misspelling_of
from schemas.vocabulary import AgentType, Fallback, NodeKind

DEFAULT_MAX_ATTEMPTS = 3
MaxAttempts = Annotated[int, Field(ge=1, le=100)]

MAX_BUNDLE_KEYS = 1_000
MAX_EXPECTATIONS = 100
MISSPELT_ASSIGNEES = "Unknown key; did you mean 'assignees'?"
MAX_NODES = 1_000
MAX_DEPENDENCIES = 10_000
"""What a plan may have in all, so that what is asked of its graph is answered within milliseconds."""

OMITTED = "problems_omitted"
_MAX_DRAWN = 20
_Problem = tuple[str, str, tuple[str | int, ...]]
"""Code, message and path of a diagnostic that may not be needed."""

QueueName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]
MAX_TIMEOUT_SECONDS = 24 * 3600
TimeoutSeconds = Annotated[float, Field(gt=0, le=MAX_TIMEOUT_SECONDS), AS_SENT]

CapabilityId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
CapabilityVersion = Annotated[
    str,
    StringConstraints(
        max_length=50,
        pattern=r"^\d{1,9}(\.\d{1,9}(\.\d{1,9}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?)?$",
    ),
]
"""A version as https://semver.org has it; `1` and `1.2` are read as `1.0.0` and `1.2.0`."""

Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Diagnostic(OpenModel):
    """Why there is no plan, or why one is refused; `path` is a JSON pointer into it, or empty."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    message: Annotated[str, PAYLOAD]
    path: Annotated[str, PAYLOAD] = ""


class NodeContract(Model):
    """What a node owes: the shape of its output, what is expected of it, and what happens when it fails.

    With the fallback `retry` the run fails when `maxAttempts` are used up, with `hitl` a person is asked then, and with
    `abort` the first failure ends the run.
    """

    output: JsonSchema | None = None
    expectations: Annotated[list[Note], Field(max_length=MAX_EXPECTATIONS)] = Field(default_factory=list[str])
    max_attempts: MaxAttempts = DEFAULT_MAX_ATTEMPTS
    fallback: Fallback = "retry"
    timeout_seconds: TimeoutSeconds | None = None


class NodeBundle(OpenModel):
    """What the engine itself reads of a node's bundle; all other keys are the capability's.

    `assignees` are the names or roles that may do a person's node, `inputKeys` the inputs that the node is given.
    """

    assignees: Annotated[list[Reference], Field(max_length=100)] | None = None
    input_keys: Annotated[list[str], Field(max_length=1_000)] | None = None


def _read_by_the_engine(bundle: dict[str, Any]) -> dict[str, Any]:
    NodeBundle.model_validate(bundle, by_alias=True, by_name=False)
    return bundle


def misspelt_assignees(bundle: dict[str, Any]) -> list[str]:
    """Keys of a human node's bundle that are nearly `assignees`: with these, any caller could do the node."""
    return [key for key in islice(bundle, MAX_BUNDLE_KEYS) if misspelling_of(key, ("assignees",))]


class PlanNode(Model):
    """One piece of work for one capability; it starts when every node in `dependsOn` is completed.

    `capabilityVersion` is the version that the plan was made for. Where the node is not `idempotent`, an attempt whose
    outcome is not known (its worker was lost) is not run again: the node fails with `outcome_unknown`.
    """

    id: NodeId
    capability_id: CapabilityId
    kind: NodeKind
    label: Label
    depends_on: Annotated[list[NodeId], Field(max_length=MAX_NODES)] = Field(default_factory=list[str])
    contract: NodeContract = Field(default_factory=NodeContract)
    bundle: Annotated[dict[str, Any], AfterValidator(_read_by_the_engine)] = Field(
        default_factory=dict[str, Any]
    )
    queue: QueueName = "default"
    agent_type: AgentType = "ai"
    capability_version: CapabilityVersion | None = None
    idempotent: bool = True

    @model_validator(mode="after")
    def _names_its_people(self) -> Self:
        misspelt = misspelt_assignees(self.bundle) if self.agent_type == "human" else []
        if misspelt:
            raise refused(*(flaw("unknown_key", MISSPELT_ASSIGNEES, "bundle", key) for key in misspelt))
        return self


class PlanEdge(Model):
    """`to` depends on `from`: the same thing as `dependsOn`, said for those who draw the graph."""

    from_: NodeId
    to: NodeId


class PlanGraph(Model):
    """A plan of at most 1,000 nodes and 10,000 dependencies."""

    version: Annotated[int, Field(ge=1)] = 1
    nodes: Annotated[list[PlanNode], Field(max_length=MAX_NODES)]
    edges: Annotated[list[PlanEdge], Field(max_length=MAX_DEPENDENCIES)] = Field(
        default_factory=list[PlanEdge]
    )
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])


def edges_of(nodes: list[PlanNode]) -> list[PlanEdge]:
    """The edges that say what the nodes' `depends_on` say, in the order of the nodes."""
    return [PlanEdge(from_=upstream, to=node.id) for node in nodes for upstream in node.depends_on]


def plan_problems(plan: PlanGraph) -> list[Diagnostic]:
    """What keeps this plan from being run to its end, in time linear in the plan; [] means that it can be run.

    At most `MAX_PROBLEMS` are listed, and behind them one with the code `problems_omitted` that counts the others.
    """
    if not plan.nodes:
        return [_diagnostic(("plan_empty", "A plan needs at least one node.", ("nodes",)))]
    dependencies = sum(len(node.depends_on) for node in plan.nodes)
    if dependencies > MAX_DEPENDENCIES:
        message = f"The nodes have {dependencies} dependencies; a plan may have {MAX_DEPENDENCIES}."
        return [_diagnostic(("plan_too_many_dependencies", message, ("nodes",)))]
    problems = chain(_repeated_ids(plan), _bad_dependencies(plan), _cycles(plan), _edge_problems(plan))
    listed = [_diagnostic(each) for each in islice(problems, MAX_PROBLEMS)]
    omitted = sum(1 for _ in problems)
    if omitted:
        listed.append(_diagnostic((OMITTED, f"There are {omitted} more problems of this kind.", ())))
    return listed


def _diagnostic(problem: _Problem) -> Diagnostic:
    code, message, path = problem
    return Diagnostic(code=code, message=message, path=pointer.build(path))


def _repeated_ids(plan: PlanGraph) -> Iterator[_Problem]:
    seen: set[str] = set()
    for index, node in enumerate(plan.nodes):
        if node.id in seen:
            yield "node_id_repeated", f"Another node is called {node.id!r}.", ("nodes", index, "id")
        seen.add(node.id)


def _bad_dependencies(plan: PlanGraph) -> Iterator[_Problem]:
    known = {node.id for node in plan.nodes}
    for index, node in enumerate(plan.nodes):
        seen: set[str] = set()
        for position, upstream in enumerate(node.depends_on):
            path = ("nodes", index, "dependsOn", position)
            if upstream == node.id:
                yield "dependency_on_itself", f"Node {node.id!r} waits for itself.", path
            elif upstream not in known:
                yield "dependency_unknown", f"There is no node {upstream!r}.", path
            elif upstream in seen:
                yield "dependency_repeated", f"{upstream!r} is named twice.", path
            seen.add(upstream)


def _cycles(plan: PlanGraph) -> Iterator[_Problem]:
    """At least one problem where there is a cycle; a node is named in one of them only."""
    next_in_line = _stuck(plan)
    seen: set[str] = set()
    for start in next_in_line:
        walked: dict[str, None] = {}
        at = start
        while at not in seen:
            seen.add(at)
            walked[at] = None
            at = next_in_line[at]
        if at in walked:
            cycle = list(walked)[list(walked).index(at) :]
            yield "dependency_cycle", f"These nodes wait for each other: {_drawn([*cycle, at])}.", ("nodes",)


def _stuck(plan: PlanGraph) -> dict[str, str]:
    """For each node of a cycle, and each that leads into one, a node that depends on it and is one of these as well.

    Nodes are taken away while nothing that is left depends on them. Each that stays has a follower, so that going from
    follower to follower ends in a cycle.
    """
    known = {node.id: node for node in plan.nodes}
    waits_for = {
        node_id: {each for each in node.depends_on if each in known and each != node_id}
        for node_id, node in known.items()
    }
    followers: dict[str, set[str]] = {node_id: set() for node_id in known}
    for node_id, needs in waits_for.items():
        for need in needs:
            followers[need].add(node_id)
    free = [node_id for node_id, after in followers.items() if not after]
    while free:
        node_id = free.pop()
        del followers[node_id]
        for need in waits_for[node_id]:
            followers[need].discard(node_id)
            if not followers[need]:
                free.append(need)
    return {node_id: min(after) for node_id, after in followers.items()}


def _drawn(path: list[str]) -> str:
    shown = (
        path
        if len(path) <= _MAX_DRAWN
        else [*path[: _MAX_DRAWN - 1], f"({len(path) - _MAX_DRAWN} more)", path[-1]]
    )
    return " -> ".join(shown)


def _edge_problems(plan: PlanGraph) -> Iterator[_Problem]:
    wanted = {(edge.from_, edge.to) for edge in edges_of(plan.nodes)}
    drawn = Counter((edge.from_, edge.to) for edge in plan.edges)
    for index, edge in enumerate(plan.edges):
        if (edge.from_, edge.to) not in wanted:
            message = f"Node {edge.to!r} does not depend on {edge.from_!r}."
            yield "edge_without_dependency", message, ("edges", index)
    for source, target in sorted(wanted - drawn.keys()):
        message = f"Node {target!r} depends on {source!r}, and there is no edge for it."
        yield "dependency_without_edge", message, ("edges",)
    for (source, target), count in drawn.items():
        if count > 1:
            message = f"The edge from {source!r} to {target!r} is drawn {count} times."
            yield "edge_repeated", message, ("edges",)
