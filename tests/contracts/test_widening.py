"""Whether a schema is shown to accept all that another accepts, and where it is not."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.contradiction import contradictions
from contracts.widening import not_widened

CLOSED: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "maxLength": 80},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
    },
    "$defs": {"tag": {"enum": ["a", "b"]}},
}


LONG = {"minLength": 100, "type": "string"}


def with_properties(**properties: Any) -> dict[str, Any]:
    return {**CLOSED, "properties": {**CLOSED["properties"], **properties}}


@pytest.mark.parametrize(
    "new",
    [
        CLOSED,
        True,
        {},
        {"type": ["object", "null"]},
        {**CLOSED, "description": "other words"},
        {**CLOSED, "additionalProperties": True},
        {**CLOSED, "required": []},
        with_properties(title={"type": "string", "maxLength": 100}),
        with_properties(title={"type": ["string", "null"]}),
        with_properties(note={"type": "string"}),
        {**CLOSED, "$defs": {"tag": {"enum": ["a", "b", "c"]}}},
        {**CLOSED, "$defs": {"tag": {"type": "string"}}},
        {"anyOf": [{"type": "string"}, CLOSED | {"$defs": {}, "properties": {"title": True, "tags": True}}]},
    ],
)  # fmt: skip
def test_what_is_wider_is_shown_to_be(new: Any) -> None:
    assert not_widened(CLOSED, new) == []


@pytest.mark.parametrize(
    ("new", "place"),
    [
        (False, ""),
        ({"type": "string"}, "/type"),
        ({**CLOSED, "required": ["title", "tags"]}, "/required"),
        (with_properties(title={"type": "string", "maxLength": 79}), "/properties/title/maxLength"),
        (with_properties(title={"type": "string", "pattern": "x"}), "/properties/title/pattern"),
        ({**CLOSED, "$defs": {"tag": {"enum": ["a"]}}}, "/properties/tags/items/enum"),
        ({**CLOSED, "properties": {"title": {"type": "string"}}}, "/additionalProperties"),
        ({**CLOSED, "minProperties": 2}, "/minProperties"),
        ({**CLOSED, "unevaluatedProperties": False}, "/unevaluatedProperties"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "/anyOf"),
    ],
)
def test_what_accepts_less_is_named_by_its_place(new: Any, place: str) -> None:
    assert [gap.pointer for gap in not_widened(CLOSED, new)] == [place]


def test_an_open_object_had_any_value_where_a_new_property_asks_for_one() -> None:
    old = {"type": "object", "properties": {"a": {"type": "string"}}}
    new = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}}
    assert [gap.pointer for gap in not_widened(old, new)] == ["/properties/b/type"]


def test_a_schema_that_contains_itself_is_compared_in_the_end() -> None:
    tree: dict[str, Any] = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}},
        "additionalProperties": False,
    }
    assert not_widened(tree, {**tree, "properties": {**tree["properties"], "right": {"$ref": "#"}}}) == []
    assert not_widened(tree, {**tree, "required": ["left"]})


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.5]) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
_types = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    branches = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": _types | st.lists(_types, min_size=1, max_size=3, unique=True),
            "enum": st.lists(values, min_size=1, max_size=3),
            "minimum": st.integers(-2, 2),
            "maxLength": st.integers(0, 2),
            "minItems": st.integers(0, 2),
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from("ab"), inner, max_size=1),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": branches,
            "anyOf": branches,
            "oneOf": branches,
            "allOf": branches,
            "not": inner,
            "contains": inner,
            "minContains": st.integers(0, 1),
        },
    )


schemas = st.recursive(st.booleans() | _object(st.booleans()), _object, max_leaves=4)


@settings(max_examples=300, deadline=None)
@given(old=schemas, extra=schemas, value=values)
def test_a_proof_is_never_wrong(old: Any, extra: Any, value: Any) -> None:
    """Most pairs of schemas have nothing to do with each other, so the new one is also made from the old one."""
    wide = {**old, **extra} if isinstance(old, dict) and isinstance(extra, dict) else extra
    for new in (extra, wide, {"anyOf": [extra, old]}):
        accepted = jsonschema.Draft202012Validator(old).is_valid(value)
        if accepted and not jsonschema.Draft202012Validator(new).is_valid(value):
            assert not_widened(old, new)


@settings(max_examples=300, deadline=None)
@given(one=schemas, two=schemas, value=values)
def test_schemas_that_are_said_to_contradict_each_other_accept_nothing_together(
    one: Any, two: Any, value: Any
) -> None:
    if all(jsonschema.Draft202012Validator(each).is_valid(value) for each in (one, two)):
        assert not contradictions(one, two)


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "string"}, "/type"),
        ({"type": "object", "properties": {"title": {"type": "number"}}}, "/properties/title/type"),
        ({"type": "object", "properties": {"title": LONG}}, "/properties/title/minLength"),
        ({"type": "object", "required": ["other"]}, ""),
        ({"type": "object", "properties": {}, "additionalProperties": False}, ""),
    ],
)  # fmt: skip
def test_a_contradiction_is_found_at_its_place(schema: Any, place: str) -> None:
    assert [each.pointer for each in contradictions(schema, CLOSED)] == [place]
