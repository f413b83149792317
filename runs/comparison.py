"""Two runs side by side: a fork and its original, or any two. A function of their states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from runs.event import Json, JsonObject
from runs.json_changes import Change, json_changes
from runs.state import NodeState, RequestState, RunState
from runs.values import value
from schemas.vocabulary import Decision, RequestSubject

MAX_OUTPUT_CHANGES = 20
"""How many changes of a node's output are named."""

Relation = Literal["b_from_a", "a_from_b", "siblings", "none"]
Where = Literal["both", "a", "b"]

_PLANNED = ("capability_id", "capability_version", "kind", "label", "executor_type", "contract", "bundle")


@value
class NodePair:
    """A node by its id, in one of the plans or in both. `changed` names the parts of it that differ as planned.

    `reused` says that one run took the output over from the other.
    """

    id: str
    where: Where
    a: NodeState | None
    b: NodeState | None
    changed: tuple[str, ...]
    output: list[Change]
    reused: bool


@value
class Verdict:
    """What people said of the same thing in each run; None where they were not asked, or have not decided."""

    subject: RequestSubject
    node_id: str | None
    a: RequestState | None
    b: RequestState | None

    @property
    def same(self) -> bool:
        return _decision(self.a) == _decision(self.b)


@value
class Comparison:
    """What differs between runs `a` and `b`."""

    relation: Relation
    envelope: list[Change]
    nodes: list[NodePair]
    output: list[Change]
    verdicts: list[Verdict]


def compare_runs(a: RunState, b: RunState) -> Comparison:
    """Compare two runs as they are now."""
    relation = _relation(a, b)
    reused = _reused(a, b, relation)
    return Comparison(
        relation=relation,
        envelope=json_changes(a.envelope, b.envelope),
        nodes=[_pair(node_id, a, b, reused) for node_id in dict.fromkeys((*a.nodes, *b.nodes))],
        output=json_changes(_output(a), _output(b)),
        verdicts=list(_verdicts(a, b)),
    )


def _relation(a: RunState, b: RunState) -> Relation:
    of_a, of_b = (a.origin or {}).get("runId"), (b.origin or {}).get("runId")
    if of_b == a.run_id:
        return "b_from_a"
    if of_a == b.run_id:
        return "a_from_b"
    return "siblings" if of_a is not None and of_a == of_b else "none"


def _reused(a: RunState, b: RunState, relation: Relation) -> set[str]:
    fork = {"b_from_a": b, "a_from_b": a}.get(relation)
    taken: Iterable[JsonObject] = fork.reuse["reused"] if fork is not None and fork.reuse is not None else ()
    return {str(each["nodeId"]) for each in taken}


def _pair(node_id: str, a: RunState, b: RunState, reused: set[str]) -> NodePair:
    left, right = a.nodes.get(node_id), b.nodes.get(node_id)
    changed: list[str] = []
    output: list[Change] = []
    if left is not None and right is not None:
        changed = [name for name in _PLANNED if getattr(left, name) != getattr(right, name)]
        if set(left.depends_on) != set(right.depends_on):
            changed.append("depends_on")
        output = json_changes(_node_output(left), _node_output(right), MAX_OUTPUT_CHANGES)
    where: Where = "both" if left is not None and right is not None else "b" if left is None else "a"
    return NodePair(node_id, where, left, right, tuple(changed), output, node_id in reused)


def _output(state: RunState) -> Json:
    """Told apart from no output by being wrapped: an output may be null."""
    return {"output": state.output} if state.status == "completed" else {}


def _node_output(node: NodeState) -> Json:
    return {"output": node.output} if node.status == "completed" else {}


def _verdicts(a: RunState, b: RunState) -> Iterable[Verdict]:
    """Requests of the same subject and node, in the order in which they were asked."""
    left, right = _by_place(a), _by_place(b)
    for place in dict.fromkeys((*left, *right)):
        mine, theirs = left.get(place, []), right.get(place, [])
        for nth in range(max(len(mine), len(theirs))):
            yield Verdict(*place, _nth(mine, nth), _nth(theirs, nth))


def _by_place(state: RunState) -> dict[tuple[RequestSubject, str | None], list[RequestState]]:
    found: dict[tuple[RequestSubject, str | None], list[RequestState]] = {}
    for request in state.requests.values():
        found.setdefault((request.subject, request.node_id), []).append(request)
    return found


def _nth(requests: Sequence[RequestState], nth: int) -> RequestState | None:
    return requests[nth] if nth < len(requests) else None


def _decision(request: RequestState | None) -> Decision | None:
    return request.decision if request is not None else None
