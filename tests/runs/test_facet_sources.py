"""The facets of a node's bundle."""

from __future__ import annotations

from runs.facet_sources import facets_of, from_input, from_node

INPUTS = {"facets": {"a/b": {"x": 1}, "several": [1, 2]}, "contextBundles": [{"payload": 3}]}
OUTPUTS = {"one": {"mood": None}, "two": [4, 5]}


def test_facets_come_from_inputs_and_from_outputs():
    sources = {
        "a": from_input("/facets/a~1b"),
        "one": from_node("one"),
        "mood": from_node("one", "/mood"),
        "listed": [from_input("/contextBundles/0/payload"), from_input("/facets/several"), from_node("two")],
    }
    assert facets_of(sources, INPUTS, OUTPUTS) == {
        "a": {"x": 1},
        "one": {"mood": None},
        "mood": None,
        "listed": [3, 1, 2, 4, 5],
    }


def test_a_source_that_leads_nowhere_leaves_its_facet_out():
    wrong = [
        from_input("/facets/other"),
        from_input("no pointer"),
        from_node("unknown"),
        from_node("one", "/mood/deeper"),
        {"$node": 7},
        {"$node": ["one"]},
        {"$input": None},
        {"$node": "one", "$pointer": 3},
        "text",
        None,
    ]
    for source in wrong:
        assert facets_of({"f": source}, INPUTS, OUTPUTS) == {}
    assert facets_of({"f": wrong}, INPUTS, OUTPUTS) == {"f": []}
    assert facets_of("nothing", INPUTS, OUTPUTS) == {}
