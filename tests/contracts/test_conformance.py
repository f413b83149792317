"""The door judges as the drafts say: keyword by keyword, in every draft that it takes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.checker import ContractChecker
from contracts.compiler import compile_schema

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_6 = "http://json-schema.org/draft-06/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"
EVERY_DRAFT = [DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020]

TREE = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
    "additionalProperties": False,
}

# (drafts, schema, valid documents, invalid documents)
Case = tuple[list[str], dict[str, Any], list[Any], list[Any]]
CASES: dict[str, Case] = {
    "type": (EVERY_DRAFT, {"type": ["string", "null"]}, ["", None], [0, [], {}, False]),
    "integer": (EVERY_DRAFT[1:], {"type": "integer"}, [1, -3, 1.0, 2**62], [1.5, "1", True]),
    "boolean is no integer": (EVERY_DRAFT, {"enum": [0, 1]}, [0, 1], [False, True]),
    "minimum": (EVERY_DRAFT, {"minimum": 1.5}, [1.5, 2, "x"], [1, -7]),
    "exclusiveMinimum is a flag": (
        [DRAFT_4],
        {"minimum": 5, "exclusiveMinimum": True},
        [6],
        [5, 4],
    ),
    "exclusiveMinimum is a number": (EVERY_DRAFT[1:], {"exclusiveMinimum": 5}, [5.1], [5, 4]),
    "precise integers": (EVERY_DRAFT, {"maximum": 9007199254740992}, [9007199254740992], [9007199254740993]),
    "length counts characters": (EVERY_DRAFT, {"maxLength": 2}, ["🎉é", "ab"], ["abc", "🎉🎉🎉"]),
    "pattern is a search": (EVERY_DRAFT, {"pattern": "b+"}, ["abc", 7], ["ac"]),
    "unicode pattern": (EVERY_DRAFT, {"pattern": "^\\p{L}+$"}, ["Zürich", "日本"], ["a1", ""]),
    "digits are ASCII": (EVERY_DRAFT, {"pattern": "^\\d$"}, ["7"], ["\u0667"]),
    "pattern properties": (
        EVERY_DRAFT,
        {"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False},
        [{}, {"x-a": ""}],
        [{"x-a": 1}, {"y": ""}],
    ),
    "recursive tree": (
        EVERY_DRAFT,
        TREE,
        [{"name": "a", "children": [{"name": "b"}]}],
        [{"name": "a", "children": [{"name": "b", "children": [{}]}]}, {"name": "a", "x": 1}],
    ),
    "names that differ only in case": (
        EVERY_DRAFT[1:],
        {
            "definitions": {
                "Name": {"type": "string"},
                "name": {"type": "integer"},
                "na-me": {"type": "null"},
            },
            "properties": {
                "a": {"$ref": "#/definitions/Name"},
                "b": {"$ref": "#/definitions/name"},
                "c": {"$ref": "#/definitions/na-me"},
            },
        },
        [{"a": "", "b": 1, "c": None}],
        [{"a": 1}, {"b": ""}, {"b": None}, {"c": ""}],
    ),
    "siblings of a reference are ignored": (
        [DRAFT_4, DRAFT_6, DRAFT_7],
        {"definitions": {"a": {}}, "properties": {"p": {"$ref": "#/definitions/a", "type": "string"}}},
        [{"p": 1}],
        [],
    ),
    "siblings of a reference count": (
        [DRAFT_2019, DRAFT_2020],
        {"$defs": {"a": {}}, "properties": {"p": {"$ref": "#/$defs/a", "type": "string"}}},
        [{"p": ""}],
        [{"p": 1}],
    ),
    "tuples, old": (
        [DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019],
        {"items": [{"type": "string"}, {"type": "integer"}], "additionalItems": False},
        [[], ["a"], ["a", 1]],
        [["a", 1, 2], [1]],
    ),
    "tuples, new": (
        [DRAFT_2020],
        {"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        [[], ["a"], ["a", 1]],
        [["a", 1, 2], [1]],
    ),
    "const": (EVERY_DRAFT[1:], {"const": {"a": [1, None]}}, [{"a": [1.0, None]}], [{"a": [1]}, None]),
    "contains": (EVERY_DRAFT[1:], {"contains": {"const": 1}}, [[0, 1]], [[], [0]]),
    "contains, counted": (
        [DRAFT_2019, DRAFT_2020],
        {"contains": {"const": 1}, "minContains": 2, "maxContains": 3},
        [[1, 1], [1, 0, 1, 1]],
        [[1], [1, 1, 1, 1]],
    ),
    "property names": (EVERY_DRAFT[1:], {"propertyNames": {"maxLength": 1}}, [{"a": 1}], [{"ab": 1}]),
    "if then else": (
        [DRAFT_7, DRAFT_2019, DRAFT_2020],
        {"if": {"type": "integer"}, "then": {"minimum": 5}, "else": {"type": "string"}},
        [5, "a"],
        [4, None],
    ),
    "one of": (EVERY_DRAFT, {"oneOf": [{"type": "integer"}, {"minimum": 2}]}, [1, 2.5], [3, 1.5]),
    "not": (EVERY_DRAFT, {"not": {"type": ["string", "null"]}}, [1], ["", None]),
    "dependencies": (
        [DRAFT_4, DRAFT_6, DRAFT_7],
        {"dependencies": {"a": ["b"], "c": {"minProperties": 2}}},
        [{}, {"a": 1, "b": 1}, {"c": 1, "d": 1}],
        [{"a": 1}, {"c": 1}],
    ),
    "dependents": (
        [DRAFT_2019, DRAFT_2020],
        {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"minProperties": 2}}},
        [{}, {"a": 1, "b": 1}, {"c": 1, "d": 1}],
        [{"a": 1}, {"c": 1}],
    ),
    "unevaluated properties": (
        [DRAFT_2019, DRAFT_2020],
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
        [{"a": 1}],
        [{"a": 1, "b": 1}],
    ),
    "dynamic reference": (
        [DRAFT_2020],
        {"$dynamicAnchor": "node", "properties": {"next": {"$dynamicRef": "#node"}}, "type": "object"},
        [{"next": {"next": {}}}],
        [{"next": {"next": 1}}],
    ),
    "recursive reference": (
        [DRAFT_2019],
        {"$recursiveAnchor": True, "properties": {"next": {"$recursiveRef": "#"}}, "type": "object"},
        [{"next": {"next": {}}}],
        [{"next": {"next": 1}}],
    ),
    "unique items": (
        EVERY_DRAFT,
        {"uniqueItems": True},
        [[1, "1", True]],
        [[{"a": 1, "b": 2}, {"b": 2, "a": 1}]],
    ),
    "formats are checked": (
        EVERY_DRAFT,
        {
            "properties": {
                "mail": {"format": "email"},
                "at": {"format": "date-time"},
                "uri": {"format": "uri"},
            }
        },
        [{"mail": "a@b.example", "at": "2026-11-22T12:00:00Z", "uri": "https://example.com/a?b#c"}],
        [{"mail": "a"}, {"at": "2026-13-01T00:00:00Z"}, {"uri": "no uri"}],
    ),
    "unknown formats are notes": (EVERY_DRAFT, {"format": "colour"}, ["anything"], []),
    "unknown keywords are notes": (EVERY_DRAFT, {"x-weight": {"type": "string"}}, [1], []),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_door_judges_as_the_draft_says(shared_door: ContractChecker, name: str) -> None:
    drafts, schema, valid, invalid = CASES[name]
    for draft in drafts:
        in_draft = {"$schema": draft, **schema}
        for document in valid:
            assert await shared_door.check(in_draft, document) == [], (draft, document)
        for document in invalid:
            assert await shared_door.check(in_draft, document) != [], (draft, document)


@pytest.mark.asyncio(loop_scope="module")
async def test_without_a_dialect_a_schema_is_of_2020_12(shared_door: ContractChecker) -> None:
    assert await shared_door.check({"prefixItems": [{"type": "string"}]}, [1]) != []


@pytest.mark.asyncio(loop_scope="module")
async def test_true_takes_all_and_false_nothing(shared_door: ContractChecker) -> None:
    assert await shared_door.check(True, {"any": "thing"}) == []
    assert [error["keyword"] for error in await shared_door.check(False, None)] == ["false schema"]


NUMBERS = st.integers(-3, 3)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "b"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abc"), inside, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "integer", "number", "object", "array", "boolean", "null"])


def _object_of(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keywords)


def _one_level_up(inside: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    by_name = st.dictionaries(st.sampled_from("abc"), inside, max_size=2)
    some = st.lists(inside, min_size=1, max_size=2)
    return _object_of(
        {
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "properties": by_name | by_name.map(lambda names: {**names, "c": {"$ref": "#/$defs/d"}}),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$", "."]), inside, max_size=1),
            "additionalProperties": inside,
            "propertyNames": inside,
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "dependentRequired": st.dictionaries(st.sampled_from("abc"), st.just(["b"]), max_size=2),
            "items": inside,
            "prefixItems": some,
            "contains": inside,
            "minContains": st.integers(0, 2),
            "unevaluatedProperties": inside,
            "unevaluatedItems": inside,
            "minItems": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "minimum": NUMBERS,
            "exclusiveMaximum": NUMBERS,
            "multipleOf": st.integers(1, 2),
            "minLength": st.integers(0, 2),
            "pattern": st.sampled_from(["^a", "b$"]),
            "enum": st.lists(DOCUMENTS, min_size=1, max_size=3),
            "const": DOCUMENTS,
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "not": inside,
            "if": inside,
            "then": inside,
            "else": inside,
            "dependentSchemas": by_name,
        }
    )


SCHEMAS = st.recursive(st.booleans() | _object_of({"type": TYPES}), _one_level_up, max_leaves=8)


@settings(max_examples=300, deadline=None)
@given(SCHEMAS.filter(lambda schema: isinstance(schema, dict)), SCHEMAS, st.lists(DOCUMENTS, max_size=8))
def test_any_schema_is_judged_as_the_reference_implementation_does(
    schema: dict[str, Any], definition: Any, documents: list[Any]
) -> None:
    schema = {**schema, "$defs": {"d": definition}}
    ours = compile_schema(schema)
    reference = Draft202012Validator(schema)
    for document in documents:
        assert (ours.errors(document, 100) == []) == reference.is_valid(document)
