"""The PlanGraph: which capabilities work on a run, and who waits for whom."""

from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas import pointer
from schemas.base import AS_SENT, JsonSchema, Model, NodeId, Note, OpenModel, Reference, flaw, refused
from schemas.near import mistaken_word

NodeKind = Literal["structuring", "execution", "validation", "transformation", "routing"]
Fallback = Literal["retry", "hitl", "abort"]

DEFAULT_MAX_ATTEMPTS = 3
MaxAttempts = Annotated[int, Field(ge=1, le=100)]

MAX_BUNDLE_KEYS = 1_000
MISSPELT_ASSIGNEES = "Unknown key; did you mean 'assignees'?"
AgentType = Literal["ai", "human", "service"]
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]
MAX_TIMEOUT_SECONDS = 24 * 3600
TimeoutSeconds = Annotated[float, Field(gt=0, le=MAX_TIMEOUT_SECONDS), AS_SENT]

CapabilityId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,200}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Diagnostic(OpenModel):
    """Why there is no plan, or why one is refused; `path` is a JSON pointer into it, or empty."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    message: str
    path: str = ""


class NodeContract(Model):
    """What a node owes: the shape of its output, what is expected of it, and what happens when it fails.

    With the fallback `retry` the run fails when `maxAttempts` are used up, with `hitl` a person is asked then, and with
    `abort` the first failure ends the run.
    """

    output: JsonSchema | None = None
    expectations: list[Note] = Field(default_factory=list[str])
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
    """Keys of a person's bundle that are nearly `assignees`: with these, anybody could do the node."""
    return [key for key in islice(bundle, MAX_BUNDLE_KEYS) if mistaken_word(key, ("assignees",))]


class PlanNode(Model):
    """One piece of work for one capability; it starts when every node in `dependsOn` is completed."""

    id: NodeId
    capability_id: CapabilityId
    kind: NodeKind
    label: Label
    depends_on: list[NodeId] = Field(default_factory=list[str])
    contract: NodeContract = Field(default_factory=NodeContract)
    bundle: Annotated[dict[str, Any], AfterValidator(_read_by_the_engine)] = Field(
        default_factory=dict[str, Any]
    )
    queue: QueueName = "default"
    agent_type: AgentType = "ai"

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
    """A plan of at most 1,000 nodes."""

    version: Annotated[int, Field(ge=1)] = 1
    nodes: Annotated[list[PlanNode], Field(max_length=1_000)]
    edges: list[PlanEdge] = Field(default_factory=list[PlanEdge])
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])


def edges_of(nodes: list[PlanNode]) -> list[PlanEdge]:
    """The edges that say what the nodes' `depends_on` say, in the order of the nodes."""
    return [PlanEdge(from_=upstream, to=node.id) for node in nodes for upstream in node.depends_on]


def plan_problems(plan: PlanGraph) -> list[Diagnostic]:
    """Everything that keeps this plan from being run to its end; an empty list means that it can be."""
    if not plan.nodes:
        return [_diagnostic("plan_empty", "A plan needs at least one node.", "nodes")]
    return [*_repeated_ids(plan), *_bad_dependencies(plan), *_cycles(plan), *_edge_problems(plan)]


def _diagnostic(code: str, message: str, *path: str | int) -> Diagnostic:
    return Diagnostic(code=code, message=message, path=pointer.build(path))


def _repeated_ids(plan: PlanGraph) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for index, node in enumerate(plan.nodes):
        if node.id in seen:
            yield _diagnostic(
                "node_id_repeated", f"Another node is called {node.id!r}.", "nodes", index, "id"
            )
        seen.add(node.id)


def _bad_dependencies(plan: PlanGraph) -> Iterator[Diagnostic]:
    known = {node.id for node in plan.nodes}
    for index, node in enumerate(plan.nodes):
        seen: set[str] = set()
        for position, upstream in enumerate(node.depends_on):
            path = ("nodes", index, "dependsOn", position)
            if upstream == node.id:
                yield _diagnostic("dependency_on_itself", f"Node {node.id!r} waits for itself.", *path)
            elif upstream not in known:
                yield _diagnostic("dependency_unknown", f"There is no node {upstream!r}.", *path)
            elif upstream in seen:
                yield _diagnostic("dependency_repeated", f"{upstream!r} is named twice.", *path)
            seen.add(upstream)


def _cycles(plan: PlanGraph) -> Iterator[Diagnostic]:
    """One diagnostic for each cycle, until what is left has none; a node is named in one of them only."""
    known = {node.id for node in plan.nodes}
    waits_for = {
        node.id: [upstream for upstream in node.depends_on if upstream in known and upstream != node.id]
        for node in plan.nodes
    }
    while cycle := _find_cycle(waits_for):
        path = " -> ".join(cycle)
        yield _diagnostic("dependency_cycle", f"These nodes wait for each other: {path}.", "nodes")
        for node_id in cycle[1:]:
            del waits_for[node_id]
        waits_for = {
            node_id: [upstream for upstream in upstreams if upstream in waits_for]
            for node_id, upstreams in waits_for.items()
        }


def _find_cycle(waits_for: dict[str, list[str]]) -> list[str]:
    """The ids along one cycle, upstream first, the first one again at the end; empty when there is none."""
    try:
        TopologicalSorter(waits_for).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def _edge_problems(plan: PlanGraph) -> Iterator[Diagnostic]:
    wanted = {(edge.from_, edge.to) for edge in edges_of(plan.nodes)}
    drawn = Counter((edge.from_, edge.to) for edge in plan.edges)
    for index, edge in enumerate(plan.edges):
        if (edge.from_, edge.to) not in wanted:
            message = f"Node {edge.to!r} does not depend on {edge.from_!r}."
            yield _diagnostic("edge_without_dependency", message, "edges", index)
    for source, target in sorted(wanted - drawn.keys()):
        message = f"Node {target!r} depends on {source!r}, and there is no edge for it."
        yield _diagnostic("dependency_without_edge", message, "edges")
    for (source, target), count in drawn.items():
        if count > 1:
            message = f"The edge from {source!r} to {target!r} is drawn {count} times."
            yield _diagnostic("edge_repeated", message, "edges")
