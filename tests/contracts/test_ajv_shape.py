"""Errors come exactly as Ajv would word them: paths, keyword, message, params, one error for each mistake."""

from typing import Any

import orjson
import pytest

from contracts.checker import ContractChecker

pytestmark = pytest.mark.asyncio(loop_scope="module")

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"

# name -> (schema, document, [(instancePath, keyword, message, params, schemaPath)])
Told = tuple[str, str, str, dict[str, Any], str]
SHAPES: dict[str, tuple[Any, Any, list[Told]]] = {
    "type": (
        {"properties": {"a": {"type": "string"}}},
        {"a": 1},
        [("/a", "type", "must be string", {"type": "string"}, "#/properties/a/type")],
    ),
    "types, in the order of the schema": (
        {"type": ["string", "null", "array"]},
        1,
        [("", "type", "must be string,null,array", {"type": ["string", "null", "array"]}, "#/type")],
    ),
    "required, one error each, at the parent": (
        {"items": {"required": ["a", "b", "c"]}},
        [{"b": 1}],
        [
            (
                "/0",
                "required",
                "must have required property 'a'",
                {"missingProperty": "a"},
                "#/items/required",
            ),
            (
                "/0",
                "required",
                "must have required property 'c'",
                {"missingProperty": "c"},
                "#/items/required",
            ),
        ],
    ),
    "additional properties, one error each": (
        {"properties": {"a": True}, "additionalProperties": False},
        {"a": 1, "b": 1, "c": 1},
        [
            (
                "",
                "additionalProperties",
                "must NOT have additional properties",
                {"additionalProperty": name},
                "#/additionalProperties",
            )
            for name in ("b", "c")
        ],
    ),
    "additional properties where none are declared": (
        {"properties": {"additionalProperties": {"additionalProperties": False}}},
        {"additionalProperties": {"x": 1, "y": 1}},
        [
            (
                "/additionalProperties",
                "additionalProperties",
                "must NOT have additional properties",
                {"additionalProperty": name},
                "#/properties/additionalProperties/additionalProperties",
            )
            for name in ("x", "y")
        ],
    ),
    "a forbidden property that is called additionalProperties": (
        {"properties": {"additionalProperties": False}},
        {"additionalProperties": {"x": 1}},
        [
            (
                "/additionalProperties",
                "false schema",
                "boolean schema is false",
                {},
                "#/properties/additionalProperties/false schema",
            )
        ],
    ),
    "unevaluated properties": (
        {"unevaluatedProperties": False},
        {"a": 1},
        [
            (
                "",
                "unevaluatedProperties",
                "must NOT have unevaluated properties",
                {"unevaluatedProperty": "a"},
                "#/unevaluatedProperties",
            )
        ],
    ),
    "unevaluated items": (
        {"prefixItems": [True], "unevaluatedItems": False},
        [1, 2, 3],
        [("", "unevaluatedItems", "must NOT have more than 1 items", {"limit": 1}, "#/unevaluatedItems")],
    ),
    "items beyond the tuple, one error for the array": (
        {"prefixItems": [True], "items": False},
        [1, 2, 3],
        [("", "items", "must NOT have more than 1 items", {"limit": 1}, "#/items")],
    ),
    "items where none may be, one error each": (
        {"items": False},
        [1, 2],
        [
            (f"/{index}", "false schema", "boolean schema is false", {}, "#/items/false schema")
            for index in (0, 1)
        ],
    ),
    "additional items": (
        {"$schema": DRAFT_7, "items": [True], "additionalItems": False},
        [1, 2],
        [("", "additionalItems", "must NOT have more than 1 items", {"limit": 1}, "#/additionalItems")],
    ),
    "enum": (
        {"enum": ["a", 1]},
        2,
        [
            (
                "",
                "enum",
                "must be equal to one of the allowed values",
                {"allowedValues": ["a", 1]},
                "#/enum",
            )
        ],
    ),
    "const": (
        {"const": {"a": 1}},
        2,
        [("", "const", "must be equal to constant", {"allowedValue": {"a": 1}}, "#/const")],
    ),
    "lengths": (
        {"items": {"minLength": 2, "maxLength": 3}},
        ["a", "aaaa"],
        [
            ("/0", "minLength", "must NOT have fewer than 2 characters", {"limit": 2}, "#/items/minLength"),
            ("/1", "maxLength", "must NOT have more than 3 characters", {"limit": 3}, "#/items/maxLength"),
        ],
    ),
    "sizes of arrays": (
        {"items": {"minItems": 1, "maxItems": 2}},
        [[], [1, 2, 3]],
        [
            ("/0", "minItems", "must NOT have fewer than 1 items", {"limit": 1}, "#/items/minItems"),
            ("/1", "maxItems", "must NOT have more than 2 items", {"limit": 2}, "#/items/maxItems"),
        ],
    ),
    "sizes of objects": (
        {"items": {"minProperties": 1, "maxProperties": 1}},
        [{}, {"a": 1, "b": 1}],
        [
            (
                "/0",
                "minProperties",
                "must NOT have fewer than 1 properties",
                {"limit": 1},
                "#/items/minProperties",
            ),
            (
                "/1",
                "maxProperties",
                "must NOT have more than 1 properties",
                {"limit": 1},
                "#/items/maxProperties",
            ),
        ],
    ),
    "comparisons": (
        {"prefixItems": [{"minimum": 3}, {"maximum": 3}, {"exclusiveMinimum": 3}, {"exclusiveMaximum": 3.5}]},
        [2, 4, 3, 3.5],
        [
            ("/0", "minimum", "must be >= 3", {"comparison": ">=", "limit": 3}, "#/prefixItems/0/minimum"),
            ("/1", "maximum", "must be <= 3", {"comparison": "<=", "limit": 3}, "#/prefixItems/1/maximum"),
            (
                "/2",
                "exclusiveMinimum",
                "must be > 3",
                {"comparison": ">", "limit": 3},
                "#/prefixItems/2/exclusiveMinimum",
            ),
            (
                "/3",
                "exclusiveMaximum",
                "must be < 3.5",
                {"comparison": "<", "limit": 3.5},
                "#/prefixItems/3/exclusiveMaximum",
            ),
        ],
    ),
    "exclusiveMinimum as a flag": (
        {"$schema": DRAFT_4, "minimum": 5, "exclusiveMinimum": True},
        5,
        [("", "exclusiveMinimum", "must be > 5", {"comparison": ">", "limit": 5}, "#/exclusiveMinimum")],
    ),
    "multipleOf": (
        {"multipleOf": 2},
        3,
        [("", "multipleOf", "must be multiple of 2", {"multipleOf": 2}, "#/multipleOf")],
    ),
    "pattern, below a pattern that needs escaping": (
        {"patternProperties": {"^a/": {"pattern": "^x"}}},
        {"a/~b": "y"},
        [
            (
                "/a~1~0b",
                "pattern",
                'must match pattern "^x"',
                {"pattern": "^x"},
                "#/patternProperties/%5Ea~1/pattern",
            )
        ],
    ),
    "format": (
        {"format": "email"},
        "x",
        [("", "format", 'must match format "email"', {"format": "email"}, "#/format")],
    ),
    "unique items": (
        {"uniqueItems": True},
        [1, 2, 1],
        [
            (
                "",
                "uniqueItems",
                "must NOT have duplicate items (items ## 0 and 2 are identical)",
                {"i": 2, "j": 0},
                "#/uniqueItems",
            )
        ],
    ),
    "contains": (
        {"contains": {"type": "string"}},
        [1],
        [("", "contains", "must contain at least 1 valid item(s)", {"minContains": 1}, "#/contains")],
    ),
    "contains, counted": (
        {"contains": {"type": "string"}, "minContains": 2, "maxContains": 3},
        ["a"],
        [
            (
                "",
                "contains",
                "must contain at least 2 and no more than 3 valid item(s)",
                {"minContains": 2, "maxContains": 3},
                "#/contains",
            )
        ],
    ),
    "property names, after what is wrong with the name": (
        {"propertyNames": {"maxLength": 2, "pattern": "^x"}},
        {"abc": 1, "xyz": 2},
        [
            (
                "",
                "maxLength",
                "must NOT have more than 2 characters",
                {"limit": 2},
                "#/propertyNames/maxLength",
            ),
            ("", "pattern", 'must match pattern "^x"', {"pattern": "^x"}, "#/propertyNames/pattern"),
            ("", "propertyNames", "property name must be valid", {"propertyName": "abc"}, "#/propertyNames"),
            (
                "",
                "maxLength",
                "must NOT have more than 2 characters",
                {"limit": 2},
                "#/propertyNames/maxLength",
            ),
            ("", "propertyNames", "property name must be valid", {"propertyName": "xyz"}, "#/propertyNames"),
        ],
    ),
    "dependent required": (
        {"dependentRequired": {"a": ["b", "c"]}},
        {"a": 1, "b": 1},
        [
            (
                "",
                "dependentRequired",
                "must have properties b, c when property a is present",
                {"property": "a", "missingProperty": "c", "depsCount": 2, "deps": "b, c"},
                "#/dependentRequired",
            )
        ],
    ),
    "dependencies": (
        {"$schema": DRAFT_7, "dependencies": {"a": ["b"]}},
        {"a": 1},
        [
            (
                "",
                "dependencies",
                "must have property b when property a is present",
                {"property": "a", "missingProperty": "b", "depsCount": 1, "deps": "b"},
                "#/dependencies",
            )
        ],
    ),
    "anyOf, after what its branches say": (
        {
            "properties": {"a": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/n"}]}},
            "$defs": {"n": {"minimum": 3}},
        },
        {"a": 1},
        [
            ("/a", "type", "must be string", {"type": "string"}, "#/properties/a/anyOf/0/type"),
            ("/a", "minimum", "must be >= 3", {"comparison": ">=", "limit": 3}, "#/$defs/n/minimum"),
            ("/a", "anyOf", "must match a schema in anyOf", {}, "#/properties/a/anyOf"),
        ],
    ),
    "oneOf, too few": (
        {"oneOf": [{"type": "string"}, {"type": "null"}]},
        1,
        [
            ("", "type", "must be string", {"type": "string"}, "#/oneOf/0/type"),
            ("", "type", "must be null", {"type": "null"}, "#/oneOf/1/type"),
            ("", "oneOf", "must match exactly one schema in oneOf", {"passingSchemas": None}, "#/oneOf"),
        ],
    ),
    "oneOf, too many": (
        {"oneOf": [{"type": "integer"}, {"type": "string"}, {"minimum": 0}]},
        1,
        [("", "oneOf", "must match exactly one schema in oneOf", {"passingSchemas": [0, 2]}, "#/oneOf")],
    ),
    "not": ({"not": {"type": "null"}}, None, [("", "not", "must NOT be valid", {}, "#/not")]),
    "then, and the if that it belongs to": (
        {"if": {"type": "integer"}, "then": {"minimum": 5}},
        1,
        [
            ("", "minimum", "must be >= 5", {"comparison": ">=", "limit": 5}, "#/then/minimum"),
            ("", "if", 'must match "then" schema', {"failingKeyword": "then"}, "#/if"),
        ],
    ),
    "else, one if for each value, also behind a reference": (
        {"items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"if": False, "else": {"properties": {"a": False}}}}},
        [{"a": 1}, {"a": 2}],
        [
            told
            for index in (0, 1)
            for told in (
                (
                    f"/{index}/a",
                    "false schema",
                    "boolean schema is false",
                    {},
                    "#/$defs/n/else/properties/a/false schema",
                ),
                (f"/{index}", "if", 'must match "else" schema', {"failingKeyword": "else"}, "#/$defs/n/if"),
            )
        ],
    ),
    "numbers as JavaScript writes them": (
        {"items": {"exclusiveMaximum": 3, "multipleOf": 2.0}},
        [3.5],
        [
            (
                "/0",
                "exclusiveMaximum",
                "must be < 3",
                {"comparison": "<", "limit": 3},
                "#/items/exclusiveMaximum",
            ),
            ("/0", "multipleOf", "must be multiple of 2", {"multipleOf": 2}, "#/items/multipleOf"),
        ],
    ),
    "small and large numbers": (
        {"prefixItems": [{"maximum": 1e-7}, {"maximum": 0.00001}, {"minimum": 1e21}, {"minimum": 1e20}]},
        [1, 1, 1, 1],
        [
            (
                f"/{index}",
                keyword,
                f"must be {sign} {text}",
                {"comparison": sign, "limit": limit},
                f"#/prefixItems/{index}/{keyword}",
            )
            for index, (keyword, sign, text, limit) in enumerate(
                [
                    ("maximum", "<=", "1e-7", 1e-7),
                    ("maximum", "<=", "0.00001", 0.00001),
                    ("minimum", ">=", "1e+21", 1e21),
                    ("minimum", ">=", "100000000000000000000", 1e20),
                ]
            )
        ],
    ),
    "false": (False, 1, [("", "false schema", "boolean schema is false", {}, "#/false schema")]),
    "an empty name on the way, which the library's path leaves out": (
        {"$ref": "#/$defs/a/", "$defs": {"a": {"": {"type": ["string", "null"]}}}},
        1,
        [("", "type", "must be null,string", {"type": ["null", "string"]}, "#/$defs/a/type")],
    ),
}


@pytest.mark.parametrize("name", SHAPES)
async def test_an_error_has_the_shape_that_ajv_gives_it(shared_door: ContractChecker, name: str) -> None:
    schema, document, expected = SHAPES[name]

    errors = await shared_door.check(schema, document)

    fields = ("instancePath", "keyword", "message", "params", "schemaPath")
    assert [tuple(error[field] for field in fields) for error in errors] == expected
    assert all(set(error) == set(fields) for error in errors)


async def test_all_errors_are_found_but_not_more_than_a_hundred(shared_door: ContractChecker) -> None:
    errors = await shared_door.check({"items": {"type": "string"}}, list(range(250)))

    assert [error["instancePath"] for error in errors] == [f"/{index}" for index in range(100)]


async def test_a_huge_enum_does_not_make_huge_errors(shared_door: ContractChecker) -> None:
    allowed = [f"value number {number}" for number in range(5_000)]
    errors = await shared_door.check({"items": {"enum": allowed}}, list(range(100)))

    assert errors[0]["params"]["allowedValues"] == allowed[:100]
    assert 1 < len(errors) < 100
    assert len(orjson.dumps(errors)) < 70_000


async def test_equal_numbers_written_differently_are_still_duplicates(shared_door: ContractChecker) -> None:
    errors = await shared_door.check({"uniqueItems": True}, [1, 1.0])

    assert [(error["keyword"], error["params"]) for error in errors] == [("uniqueItems", {})]
