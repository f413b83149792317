"""`bundle.facets` of a node: each source is one, and leads to inputs or to a node that this one depends on."""

from __future__ import annotations

from typing import Any

import pytest

from runs.source_problems import facet_source_problems
from schemas.plan import PlanNode


@pytest.mark.parametrize(
    ("facets", "place"),
    [
        ("x", ""),
        ({"a": "/facets/a"}, "/a"),
        ({"a": {"$input": "facets/a"}}, "/a/$input"),
        ({"a": {"$node": "elsewhere"}}, "/a/$node"),
        ({"a": [{"$input": "/a"}, {"$node": "x", "$pointer": 5}]}, "/a/1/$pointer"),
        ({"a": {"$node": "x", "$input": "/a"}}, "/a"),
    ],
)
def test_facets_of_a_node_come_from_inputs_and_from_nodes_that_it_depends_on(facets: Any, place: str) -> None:
    body = {
        "id": "b",
        "capabilityId": "test.b",
        "kind": "execution",
        "label": "B",
        "dependsOn": ["x"],
        "bundle": {"facets": facets},
    }
    node = PlanNode.model_validate(body, by_alias=True, by_name=False)
    found = [(each.code, each.pointer) for each in facet_source_problems(node, "/nodes/0")]
    assert found == [("facet_source_invalid", f"/nodes/0/bundle/facets{place}")]
