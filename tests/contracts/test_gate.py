"""The gate refuses what could hurt or escape, says where, and lets everything legal through."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.checker import schema_hash
from contracts.gate import canonical_schema, pass_gate
from contracts.problems import SchemaRefused

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"


def refusals(schema: object) -> list[tuple[str, str]]:
    """(code, pointer) of everything that the gate finds."""
    try:
        pass_gate(canonical_schema(schema))
    except SchemaRefused as refused:
        return [(problem.code, problem.pointer) for problem in refused.problems]
    return []


def doubled(levels: int, keyword: str = "allOf") -> dict[str, Any]:
    """A schema of a few hundred bytes that is 2 to the power of `levels` when written out."""
    twice = {
        f"a{level}": {keyword: [{"$ref": f"#/$defs/a{level + 1}"}, {"$ref": f"#/$defs/a{level + 1}"}]}
        for level in range(levels)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**twice, f"a{levels}": {"type": "integer"}}}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def chain_of_doubled_properties(levels: int) -> dict[str, Any]:
    """Doubles as well, but one step deeper into the document each time."""
    twice = {
        f"a{level}": {
            "properties": {"x": {"$ref": f"#/$defs/a{level + 1}"}, "y": {"$ref": f"#/$defs/a{level + 1}"}}
        }
        for level in range(levels)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**twice, f"a{levels}": {}}}


REFUSED: dict[str, tuple[object, str, str]] = {
    "text instead of a schema": ("string", "schema_not_an_object", ""),
    "null": (None, "schema_not_an_object", ""),
    "an array": ([{}], "schema_not_an_object", ""),
    "http reference": ({"$ref": "http://example.com/x"}, "schema_remote_ref", "/$ref"),
    "https reference with fragment": (
        {"items": {"$ref": "https://example.com/x#/a"}},
        "schema_remote_ref",
        "/items/$ref",
    ),
    "file reference": ({"not": {"$ref": "file:///etc/passwd"}}, "schema_remote_ref", "/not/$ref"),
    "relative file reference": (
        {"properties": {"a/b": {"$ref": "other.json"}}},
        "schema_remote_ref",
        "/properties/a~1b/$ref",
    ),
    "reference to a meta-schema": (
        {"$ref": "http://json-schema.org/draft-07/schema#"},
        "schema_remote_ref",
        "/$ref",
    ),
    "remote dynamic reference": (
        {"$dynamicRef": "http://example.com/x#y"},
        "schema_remote_ref",
        "/$dynamicRef",
    ),
    "remote recursive reference": (
        {"$schema": DRAFT_2019, "$recursiveRef": "x.json"},
        "schema_remote_ref",
        "/$recursiveRef",
    ),
    "remote reference in a place that only a reference makes a schema": (
        {"$ref": "#/components/a", "components": {"a": {"$ref": "x.json"}}},
        "schema_remote_ref",
        "/components/a/$ref",
    ),
    "remote reference in an unused definition": (
        {"$defs": {"a": {"anyOf": [True, {"$ref": "x.json"}]}}},
        "schema_remote_ref",
        "/$defs/a/anyOf/1/$ref",
    ),
    "unresolved pointer": ({"$ref": "#/$defs/nothing"}, "schema_unresolved_ref", "/$ref"),
    "unresolved anchor": ({"$ref": "#nothing"}, "schema_unresolved_ref", "/$ref"),
    "an anchor that is only data": (
        {"$ref": "#x", "const": {"$anchor": "x"}},
        "schema_unresolved_ref",
        "/$ref",
    ),
    "a base that moves": (
        {"properties": {"a": {"$id": "http://evil.example/", "$ref": "#/$defs/x"}}, "$defs": {"x": {}}},
        "schema_nested_id",
        "/properties/a/$id",
    ),
    "a base that moves, draft 4": (
        {"$schema": DRAFT_4, "properties": {"a": {"id": "file:///etc/"}}},
        "schema_nested_id",
        "/properties/a/id",
    ),
    "the name of a meta-schema": (
        {"$id": "https://json-schema.org/draft/2020-12/schema"},
        "schema_reserved_id",
        "/$id",
    ),
    "unknown dialect": ({"$schema": "http://example.com/mine"}, "schema_unknown_dialect", "/$schema"),
    "draft 3": ({"$schema": "http://json-schema.org/draft-03/schema#"}, "schema_unknown_dialect", "/$schema"),
    "dialect that is a number": ({"$schema": 7}, "schema_unknown_dialect", "/$schema"),
    "two dialects": (
        {"properties": {"a": {"$schema": DRAFT_7, "prefixItems": [False]}}},
        "schema_mixed_dialects",
        "/properties/a/$schema",
    ),
    "references to itself": ({"$ref": "#"}, "schema_endless_ref", ""),
    "references in a ring": (
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        "schema_endless_ref",
        "/$defs/a",
    ),
    "a ring through an anchor": (
        {"properties": {"p": {"$anchor": "x", "not": {"$ref": "#x"}}}},
        "schema_endless_ref",
        "/properties/p",
    ),
    "doubled references, allOf": (doubled(20), "schema_expands_too_far", ""),
    "doubled references, anyOf": (doubled(20, "anyOf"), "schema_expands_too_far", ""),
    "doubled references, a thousand times": (doubled(400), "schema_expands_too_far", ""),
    "doubled references, down the document": (
        chain_of_doubled_properties(20),
        "schema_expands_too_far",
        "",
    ),
    "NUL in a value": (
        {"properties": {"a": {"const": "x\0"}}},
        "schema_nul_character",
        "/properties/a/const",
    ),
    "NUL in a key": ({"properties": {"a\0": True}}, "schema_nul_character", "/properties"),
    "huge enum": ({"items": {"enum": list(range(6_000))}}, "schema_enum_too_long", "/items/enum"),
    "too many properties": (
        {"properties": {f"p{number}": True for number in range(1_001)}},
        "schema_too_many_members",
        "/properties",
    ),
    "too many bytes": ({"description": "x" * 300_000}, "schema_too_large", ""),
    "too many values": ({"examples": [0] * 30_000}, "schema_too_large", ""),
    "an integer beyond 64 bit": ({"const": 2**70}, "schema_not_json", ""),
    "half a surrogate": ({"const": "\ud800"}, "schema_not_json", ""),
    "a key that is no string": ({"properties": {1: {}}}, "schema_not_json", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_gate_refuses_and_points_to_the_place(name: str) -> None:
    schema, code, pointer = REFUSED[name]

    assert (code, pointer) in refusals(schema)


ACCEPTED: dict[str, object] = {
    "true": True,
    "false": False,
    "the empty schema": {},
    "a reference that is only data": {
        "const": {"$ref": "http://example.com"},
        "enum": [{"$ref": "http://example.com"}],
        "default": {"$ref": "file:///etc/passwd"},
        "examples": [{"$ref": "other.json"}],
    },
    "a reference in a keyword that nobody knows": {"x-origin": {"$ref": "http://example.com"}},
    "properties with the names of keywords": {
        "properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}, "enum": {"type": "array"}}
    },
    "a name of its own, and a reference by it": {
        "$id": "https://example.com/mine.json",
        "properties": {"a": {"$ref": "https://example.com/mine.json#/$defs/x"}},
        "$defs": {"x": {}},
    },
    "an anchor": {"properties": {"a": {"$ref": "#x"}}, "$defs": {"b": {"$anchor": "x"}}},
    "an old anchor": {
        "$schema": DRAFT_7,
        "properties": {"a": {"$ref": "#x"}},
        "definitions": {"b": {"$id": "#x"}},
    },
    "escaped pointers": {"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "string"}}},
    "a tree": {"type": "object", "properties": {"children": {"items": {"$ref": "#"}}}},
    "two kinds of node that hold each other": {
        "$defs": {
            "a": {"properties": {"b": {"$ref": "#/$defs/b"}}},
            "b": {"items": {"$ref": "#/$defs/a"}},
        },
        "$ref": "#/$defs/a",
    },
    "a dialect twice": {"$schema": DRAFT_7, "items": {"$schema": DRAFT_7}},
    "a dialect without its empty fragment": {"$schema": "http://json-schema.org/draft-07/schema"},
    "a shared definition used fifty times": {
        "properties": {f"p{number}": {"$ref": "#/$defs/a"} for number in range(50)},
        "$defs": {"a": {"properties": {f"q{number}": {"type": "string"} for number in range(50)}}},
    },
    "sixty levels": nested(60),
    "siblings of a reference, which draft 7 ignores": {
        "$schema": DRAFT_7,
        "$ref": "#/definitions/a",
        "allOf": [{"$ref": "#"}],
        "definitions": {"a": {"type": "string"}},
    },
    "definitions whose names differ only in case": {
        "$defs": {"A": {"type": "string"}, "a": {"type": "null"}}
    },
    "a thousand in an enum": {"enum": list(range(1_000))},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_gate_lets_a_legal_schema_through(name: str) -> None:
    assert refusals(ACCEPTED[name]) == []


@pytest.mark.parametrize("levels", [70, 300, 1_000])
def test_nesting_is_refused_where_it_becomes_too_deep(levels: int) -> None:
    assert refusals(nested(levels)) == [("schema_too_deep", "/items" * 64)]


def test_all_remote_references_are_named_at_once() -> None:
    schema = {"properties": {f"p{number}": {"$ref": f"http://example.com/{number}"} for number in range(3)}}

    assert refusals(schema) == [("schema_remote_ref", f"/properties/p{number}/$ref") for number in range(3)]


def test_the_largest_schemas_pass_in_a_moment() -> None:
    """The gate runs in the gateway's event loop: it may not become the attack itself."""
    members = {f"p{number}": {"$ref": "#/$defs/x", "enum": [1, 2, 3]} for number in range(900)}
    schemas: list[object] = [
        {"properties": members, "$defs": {"x": {"anyOf": [{"$ref": "#/x/y"}] * 900}}, "x": {"y": nested(50)}},
        doubled(900),
        {"$defs": {f"d{number}": {"$ref": "#" + "/items" * 50} for number in range(700)}, **nested(60)},
    ]
    started = time.process_time()
    for schema in schemas:
        refusals(schema)

    assert time.process_time() - started < 1.5


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["$ref", "$id", "id", "$schema", "$defs", "allOf", "items", "properties", "not", "enum", "a"]
            ),
            inside | st.sampled_from(["#", "#/", "#/$defs/a", "#a", "x", "#/allOf/0", DRAFT_4]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_whatever_comes_is_let_through_or_refused_never_anything_else(value: object) -> None:
    refusals(value)


def test_the_order_of_keys_does_not_change_the_hash() -> None:
    assert schema_hash({"type": "object", "required": ["a"]}) == schema_hash(
        {"required": ["a"], "type": "object"}
    )
    assert schema_hash({"required": ["a", "b"]}) != schema_hash({"required": ["b", "a"]})
