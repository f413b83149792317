"""Which nodes are run again when the caller's contract rejects the composed output."""

from __future__ import annotations

from typing import Any

import pytest

from executor.lookahead import nodes_to_repair
from tests.support.given import Given, node

TEMPLATE = {
    "company": "Acme",
    "summary": {"$node": "brief", "$pointer": "/summary"},
    "posts": [{"title": {"$node": "a", "$pointer": "/headline"}, "text": {"$node": "a"}}, {"$node": "b"}],
}


def run_of_three(template: Any = None) -> Given:
    """A brief and two drafts, all done."""
    metadata = {} if template is None else {"metadata": {"composition": template}}
    given = Given().started().planned(node("brief"), node("a", "brief"), node("b", "brief"), **metadata)
    for node_id in ("brief", "a", "b"):
        given = given.start(node_id).complete(node_id)
    return given


def error_at(path: str) -> dict[str, Any]:
    return {"instancePath": path, "keyword": "type", "message": "wrong", "params": {}, "schemaPath": "#"}


@pytest.mark.parametrize(
    ("paths", "nodes"),
    [
        (["/posts/1/text"], ("b",)),
        (["/posts/0/title"], ("a",)),
        (["/posts/0"], ("a",)),
        (["/posts"], ("a", "b")),
        (["/summary", "/posts/1"], ("brief", "b")),
        (["/posts/7"], ("a", "b")),
        ([""], ("brief", "a", "b")),
        (["/company"], ("brief", "a", "b")),
        (["/company", "/posts/1"], ("b",)),
    ],
)
def test_the_nodes_behind_the_failing_places_are_repaired(paths: list[str], nodes: tuple[str, ...]) -> None:
    state = run_of_three(TEMPLATE).state
    assert nodes_to_repair(state, tuple(error_at(path) for path in paths)) == nodes


def test_an_if_around_the_failing_place_makes_no_more_nodes_run() -> None:
    errors = (error_at("/posts/1/text"), {**error_at(""), "keyword": "if"})
    assert nodes_to_repair(run_of_three(TEMPLATE).state, errors) == ("b",)


def test_a_valid_output_needs_no_repair() -> None:
    assert nodes_to_repair(run_of_three(TEMPLATE).state, ()) == ()


def test_without_a_template_the_last_node_is_repaired() -> None:
    assert nodes_to_repair(run_of_three().state, (error_at("/x"),)) == ("b",)


def test_an_output_that_no_node_made_cannot_be_repaired() -> None:
    assert nodes_to_repair(run_of_three({"n": 1}).state, (error_at("/n"),)) == ()


def test_the_second_repair_reaches_behind_a_transformation() -> None:
    shape = node("shape", "a", kind="transformation")
    metadata = {"composition": {"$node": "shape"}}
    given = Given().started().planned(node("a"), shape, metadata=metadata)
    given = given.start("a").complete("a").start("shape").complete("shape")
    first = nodes_to_repair(given.state, (error_at("/x"),))
    assert first == ("shape",)
    given = given.deliver("bad", (error_at("/x"),), first).start("shape").complete("shape")
    assert nodes_to_repair(given.state, (error_at("/x"),)) == ("shape", "a")
