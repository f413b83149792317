"""Plans for facets: the cheapest, each facet made once, and what is said where there is none."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.checking import plan_faults
from planner.derive.implied import Document, Implication, Proof
from planner.mapping.flat import Budget
from planner.planner import JsonObject, PlanContext, PlanRefused
from planner.skeleton import SkeletonPlanner
from schemas.same_schema import same_schema


def capability(name: str, takes: list[Any], gives: list[str], **more: Any) -> JsonObject:
    return {"id": name, "version": "1.0.0", "label": name, "facetsIn": takes, "facetsOut": gives, **more}


def plan(
    capabilities: list[JsonObject], wanted: list[str], /, disabled: Any = (), **inputs: Any
) -> JsonObject:
    envelope = {
        "objective": "Anything at all",
        "inputs": inputs,
        "outputContract": {"mode": "facets", "facets": wanted},
    }
    made = SkeletonPlanner().plan(envelope, capabilities, PlanContext(disabled=disabled))
    assert plan_faults(made, capabilities) == []
    return made


def graph(made: JsonObject) -> dict[str, list[str]]:
    return {node["id"]: node["dependsOn"] for node in made["nodes"]}


def refusal(capabilities: list[JsonObject], wanted: list[str], **inputs: Any) -> list[JsonObject]:
    with pytest.raises(PlanRefused) as caught:
        plan(capabilities, wanted, **inputs)
    return caught.value.diagnostics


A = {"facets": {"a": {"x": 1}}}


def test_a_facet_that_two_need_is_made_once_and_what_is_independent_runs_in_parallel():
    known = [
        capability("z.end", ["c", "d"], ["e"]),
        capability("y.d", ["b"], ["d"]),
        capability("x.c", ["b"], ["c"]),
        capability("w.b", ["a"], ["b"]),
    ]
    made = plan(known, ["e"], **A)
    assert graph(made) == {"w.b": [], "x.c": ["w.b"], "y.d": ["w.b"], "z.end": ["x.c", "y.d"]}
    assert made["metadata"]["composition"] == {"e": {"$node": "z.end"}}
    bundles = {node["id"]: node["bundle"] for node in made["nodes"]}
    assert bundles["w.b"] == {"facets": {"a": {"$input": "/facets/a"}}, "inputKeys": []}
    assert bundles["z.end"]["facets"] == {"c": {"$node": "x.c"}, "d": {"$node": "y.d"}}
    assert plan(known[::-1], ["e"], **A) == made


@pytest.mark.parametrize(
    ("dear", "cheap", "chosen"),
    [
        ({"cost": {"micros": 10}}, {"cost": {"micros": 9}}, "cheap"),
        ({"cost": {"micros": 10}}, {"cost": {"micros": 9}, "status": "silent"}, "dear"),
        ({}, {}, "cheap"),
    ],
)
def test_the_cheapest_that_somebody_serves_is_taken(dear: Any, cheap: Any, chosen: str):
    known = [capability("dear", ["a"], ["b"], **dear), capability("cheap", ["a"], ["b"], **cheap)]
    assert list(graph(plan(known, ["b"], **A))) == [chosen]


def test_fewer_nodes_are_taken_where_the_money_is_the_same():
    known = [
        capability("one", ["a"], ["m"]),
        capability("two", ["m"], ["b"]),
        capability("whole", ["a"], ["b"]),
    ]
    assert list(graph(plan(known, ["b"], **A))) == ["whole"]


def test_a_capability_that_gives_several_is_one_node_whose_output_is_taken_apart():
    made = plan(
        [capability("both", ["a"], ["b", "c/d"]), capability("last", ["b"], ["e"])], ["c/d", "e"], **A
    )
    assert made["metadata"]["composition"] == {
        "c/d": {"$node": "both", "$pointer": "/c~1d"},
        "e": {"$node": "last"},
    }
    both, last = made["nodes"]
    assert last["bundle"]["facets"] == {"b": {"$node": "both", "$pointer": "/b"}}
    assert both["contract"]["output"]["required"] == ["b", "c/d"]


def test_optional_facets_are_taken_where_they_are_there_anyway_and_many_as_a_list():
    known = [
        capability("first", ["a"], ["b"]),
        capability(
            "second",
            [
                {"name": "b"},
                {"name": "hint", "required": False},
                {"name": "none", "required": False},
                {"name": "note", "many": True},
            ],
            ["c"],
        ),
    ]
    notes = [{"type": "note", "payload": {"n": n}} for n in range(2)]
    made = plan(known, ["c"], facets={"a": {}, "hint": {}}, contextBundles=notes)
    assert made["nodes"][1]["bundle"]["facets"] == {
        "b": {"$node": "first"},
        "hint": {"$input": "/facets/hint"},
        "note": [{"$input": "/contextBundles/0/payload"}, {"$input": "/contextBundles/1/payload"}],
    }


def test_what_the_inputs_have_is_handed_on_and_is_made_anew_where_nothing_else_is_wanted():
    known = [capability("polish", ["a"], ["a"]), capability("next", ["a"], ["b"])]
    assert plan(known, ["a", "b"], **A)["metadata"]["composition"] == {"a": {"x": 1}, "b": {"$node": "next"}}
    assert plan(known, ["a"], **A)["metadata"]["composition"] == {"a": {"$node": "polish"}}
    reference = {"facets": {"a": {"$node": "secret"}}}
    assert plan(known, ["a", "b"], **reference)["metadata"]["composition"]["a"] == {"$node": "polish"}


def test_a_capability_with_an_input_schema_gets_the_inputs_that_it_requires():
    known = [capability("whole", [], ["b"], inputSchema={"type": "object", "required": ["text"]})]
    (node,) = plan(known, ["b"], text="x")["nodes"]
    assert "inputKeys" not in node["bundle"]
    (reason,) = refusal(known, ["b"], other="x")
    assert reason["path"] == "/inputs"
    assert "It would be given by whole, but it needs these inputs: text." in reason["message"]


def test_a_circle_of_capabilities_is_no_chain():
    known = [capability("one", ["c"], ["b"]), capability("two", ["b"], ["c"])]
    found = {each["path"]: each["message"] for each in refusal(known, ["b"])}
    assert set(found) == {"/inputs/facets/b", "/inputs/facets/c"}
    assert "one needs it to give b. It would be given by two, which lacks something itself." in str(found)


def test_a_facet_that_nothing_gives_is_named_beside_what_is_known():
    reasons = refusal([capability("one", ["a"], ["b"])], ["b", "nothing"], **A)
    assert [each["code"] for each in reasons] == [
        "facet_unavailable",
        "nearest_contract",
    ]
    assert reasons[1]["nearest"] == {"mode": "facets", "facets": ["b"]}
    assert reasons[0]["path"] == "/outputContract/facets/1"


def test_a_facet_of_the_registry_is_what_its_node_owes():
    schema = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    envelope = {
        "objective": "o",
        "inputs": A,
        "outputContract": {
            "mode": "facets",
            "facets": ["b"],
            "facetSchemas": {"b": {"version": "1.0.0", "many": False, "schema": schema}},
        },
    }
    made = SkeletonPlanner().plan(envelope, [capability("one", ["a"], ["b"])], PlanContext())
    assert made["nodes"][0]["contract"]["output"] == schema


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"title": "T", "type": "object"}, {"type": "object"}, True),
        ({"required": ["a", "b"]}, {"required": ["b", "a"]}, True),
        ({"properties": {"title": {"type": "string"}}}, {"properties": {}}, False),
        ({"enum": [{"title": 1}]}, {"enum": [{}]}, False),
        ({"properties": {"a": {"description": "x"}}}, {"properties": {"a": {}}}, True),
        (True, {}, False),
    ],
)
def test_schemas_are_the_same_apart_from_what_they_say_to_people(one: Any, other: Any, same: bool):
    assert same_schema(one, other) is same


NAMES = st.sampled_from("abcdefgh")


@st.composite
def registries(draw: st.DrawFn) -> list[JsonObject]:
    count = draw(st.integers(1, 8))
    return [
        capability(
            f"c{number}",
            sorted(draw(st.sets(NAMES, max_size=3))),
            sorted(draw(st.sets(NAMES, min_size=1, max_size=2))),
            cost={"micros": draw(st.integers(0, 3))},
        )
        for number in range(count)
    ]


@settings(max_examples=300, deadline=None)
@given(registries(), st.sets(NAMES, max_size=3), st.sets(NAMES, min_size=1, max_size=3))
def test_whatever_is_registered_a_plan_can_be_run_or_the_reasons_are_named(
    known: list[JsonObject], brought: set[str], wanted: set[str]
):
    inputs = {"facets": {name: {} for name in brought}}
    try:
        made = plan(known, sorted(wanted), **inputs)
    except PlanRefused:
        return  # it cannot be made without a reason
    done: set[str] = set()
    for node in made["nodes"]:
        assert set(node["dependsOn"]) <= done, "nodes stand after those that they wait for"
        done.add(node["id"])
    assert len(done) == len(made["nodes"])
    assert set(made["metadata"]["composition"]) == wanted


def test_a_thousand_capabilities_in_one_chain_are_planned_in_a_moment():
    known = [capability(f"c{n:04}", [f"f{n}"], [f"f{n + 1}", f"g{n}"]) for n in range(999)]
    began = time.process_time()
    assert len(plan(known, ["f999"], facets={"f0": {}})["nodes"]) == 999
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "keywords",
    [{"required": [["a"]]}, {"required": None}, {"enum": 1}, {"minLength": "a"}, {"maximum": []}],
    ids=str,
)
def test_a_contract_that_is_no_schema_is_a_refusal_or_a_plan_and_no_error(keywords: JsonObject):
    broken = {"type": "object", "properties": {"a": keywords}, **keywords}
    implication = Implication(Document(broken), Document(broken | {"title": "another"}), Budget())
    assert implication.proof(broken, {**broken, "minProperties": 1}) in Proof
    assert implication.proof({"type": "string"}, keywords) in Proof


def test_a_refusal_says_what_a_disabled_capability_would_give():
    """At the root, on the way, and beside one that is enabled: that one is used."""
    off = [capability("off", ["a"], ["b"], status="disabled")]
    for wanted, known in (("b", []), ("c", [capability("next", ["b"], ["c"])])):
        with pytest.raises(PlanRefused) as caught:
            plan(known, [wanted], disabled=off, **A)
        assert "off, but it is disabled" in str(caught.value.diagnostics)
    assert list(graph(plan([capability("on", ["a"], ["b"])], ["b"], disabled=off, **A))) == ["on"]


@pytest.mark.parametrize(
    ("budget", "chosen"),
    [
        ({}, "quick"),
        ({"costMicros": 50}, "cheap"),
        ({"costMicros": 50, "seconds": 5}, "quick"),
        ({"tokens": 5}, "cheap"),
    ],
    ids=["none", "money", "what no plan fits is left to the run", "tokens"],
)
def test_a_plan_is_looked_for_that_fits_the_budget_whatever_else_is_wanted(budget: JsonObject, chosen: str):
    known = [
        capability("quick", ["a"], ["b"], cost={"micros": 100, "seconds": 1, "tokens": 9}),
        capability("cheap", ["a"], ["b"], cost={"micros": 1, "seconds": 10, "tokens": 3}),
    ]
    envelope = {
        "objective": "Anything at all",
        "inputs": A,
        "outputContract": {"mode": "facets", "facets": ["b"]},
        "policies": {"planner": {"optimisation": {"objective": "speed"}}},
        "constraints": {"budget": budget},
    }
    assert list(graph(SkeletonPlanner().plan(envelope, known, PlanContext()))) == [chosen]
