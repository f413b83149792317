"""Plans: their shape, and what keeps one from being run to its end."""

from typing import Any

import pytest

from schemas import pointer
from schemas.parsing import validate_document
from schemas.plan import PlanGraph, PlanNode, edges_of, plan_problems
from schemas.refusal import DocumentRefused


def node(node_id: str, *depends_on: str) -> PlanNode:
    return PlanNode(
        id=node_id,
        capability_id="stub.linkedin.post",
        kind="execution",
        label=node_id,
        depends_on=list(depends_on),
    )


def plan(*nodes: PlanNode) -> PlanGraph:
    return PlanGraph(nodes=list(nodes), edges=edges_of(list(nodes)))


def found(graph: PlanGraph) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in plan_problems(graph)]


def with_edges(*edges: tuple[str, str]) -> PlanGraph:
    """Two nodes, `b` after `a`, and these edges."""
    document = {
        "nodes": [node("a").to_wire(), node("b", "a").to_wire()],
        "edges": [{"from": source, "to": target} for source, target in edges],
    }
    return validate_document(PlanGraph, document)


def test_a_plan_that_branches_and_joins_has_no_problems() -> None:
    graph = plan(node("brief"), node("a", "brief"), node("b", "brief"), node("review", "a", "b"))
    assert plan_problems(graph) == []


@pytest.mark.parametrize(
    ("graph", "problems"),
    [
        (plan(), [("plan_empty", "/nodes")]),
        (plan(node("a"), node("b"), node("a")), [("node_id_repeated", "/nodes/2/id")]),
        (plan(node("a", "ghost")), [("dependency_unknown", "/nodes/0/dependsOn/0")]),
        (plan(node("a"), node("b", "a", "b")), [("dependency_on_itself", "/nodes/1/dependsOn/1")]),
        (plan(node("a", "b"), node("b", "a")), [("dependency_cycle", "/nodes")]),
        (with_edges(("a", "b")), []),
        (with_edges(), [("dependency_without_edge", "/edges")]),
        (with_edges(("a", "b"), ("b", "a")), [("edge_without_dependency", "/edges/1")]),
        (with_edges(("a", "b"), ("a", "ghost")), [("edge_without_dependency", "/edges/1")]),
        (with_edges(("a", "b"), ("a", "b")), [("edge_repeated", "/edges")]),
    ],
)
def test_each_problem_of_a_plan_is_named_with_its_place(
    graph: PlanGraph, problems: list[tuple[str, str]]
) -> None:
    assert found(graph) == problems
    for _, place in problems:
        pointer.resolve(graph.to_wire(), place)


def test_a_dependency_named_twice_is_a_problem_and_so_is_its_second_edge() -> None:
    assert found(plan(node("a"), node("b", "a", "a"))) == [
        ("dependency_repeated", "/nodes/1/dependsOn/1"),
        ("edge_repeated", "/edges"),
    ]


def test_a_cycle_is_named_node_by_node() -> None:
    (problem,) = plan_problems(plan(node("a", "c"), node("b", "a"), node("c", "b"), node("d", "c")))
    assert problem.message.endswith(("a -> b -> c -> a.", "b -> c -> a -> b.", "c -> a -> b -> c."))


def test_two_cycles_are_both_named() -> None:
    problems = plan_problems(plan(node("a", "b"), node("b", "a"), node("c", "d"), node("d", "c"), node("e")))
    assert [problem.code for problem in problems] == ["dependency_cycle", "dependency_cycle"]


def test_a_chain_as_long_as_a_plan_may_be_needs_no_deep_stack() -> None:
    chain = [node("n0"), *(node(f"n{n}", f"n{n - 1}") for n in range(1, 1_000))]
    assert plan_problems(plan(*chain)) == []
    closed = [node("n0", "n999"), *chain[1:]]
    assert found(plan(*closed)) == [("dependency_cycle", "/nodes")]


def test_a_node_on_the_wire_carries_its_defaults() -> None:
    assert node("a").to_wire() == {
        "id": "a",
        "capabilityId": "stub.linkedin.post",
        "kind": "execution",
        "label": "a",
        "dependsOn": [],
        "contract": {
            "output": None,
            "expectations": [],
            "maxAttempts": 3,
            "fallback": "retry",
            "timeoutSeconds": None,
        },
        "bundle": {},
        "queue": "default",
        "agentType": "ai",
        "capabilityVersion": None,
        "idempotent": True,
    }


def test_a_plan_comes_back_from_the_wire_as_it_was() -> None:
    graph = plan(node("a"), node("b", "a"))
    assert graph.to_wire()["edges"] == [{"from": "a", "to": "b"}]
    assert validate_document(PlanGraph, graph.to_wire()) == graph


NODE: dict[str, Any] = {"id": "a", "capabilityId": "c", "kind": "execution", "label": "A"}


@pytest.mark.parametrize(
    ("keys", "code", "place"),
    [
        ({"id": "a b"}, "bad_format", "/nodes/0/id"),
        ({"id": "a\n"}, "bad_format", "/nodes/0/id"),
        ({"id": ""}, "bad_format", "/nodes/0/id"),
        ({"id": "x" * 101}, "bad_format", "/nodes/0/id"),
        ({"kind": "magic"}, "not_allowed", "/nodes/0/kind"),
        ({"dependsOn": "b"}, "wrong_type", "/nodes/0/dependsOn"),
        ({"contract": {"maxAttempts": 0}}, "out_of_range", "/nodes/0/contract/maxAttempts"),
        ({"contract": {"maxAttempts": 1.5}}, "wrong_type", "/nodes/0/contract/maxAttempts"),
        ({"contract": {"fallback": "pray"}}, "not_allowed", "/nodes/0/contract/fallback"),
        ({"contract": {"output": []}}, "wrong_type", "/nodes/0/contract/output"),
        ({"depends_on": []}, "unknown_key", "/nodes/0/depends_on"),
    ],
)
def test_a_node_of_the_wrong_shape_is_refused(keys: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        validate_document(PlanGraph, {"nodes": [NODE | keys]})
    assert [(problem.code, problem.pointer) for problem in caught.value.problems] == [(code, place)]
