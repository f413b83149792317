"""Contracts that no output can meet within the limits are refused, with the place that asks for most."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from contracts.minimum_size import minimum_size_problem
from tests.planner.strategies import ANY_SCHEMAS, PLAIN_SCHEMAS

TEXT = {"type": "string", "minLength": 3_000}
LONG = {"type": "string", "minLength": 300_000_000}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def array(least: float, items: Any = True, **more: Any) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "items": items, **more}


def needs(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


REFUSED: dict[str, tuple[Any, str]] = {
    "a long text": (LONG, "/minLength"),
    "many items": (array(300_000_000), "/minItems"),
    "more values than an output may have": (array(50_000), "/minItems"),
    "as a float": (array(1e300), "/minItems"),
    "many members": ({"type": "object", "minProperties": 10**9}, "/minProperties"),
    "a product": (array(2_000, TEXT), "/minItems"),
    "a product of products": (array(100, array(100, array(100))), "/minItems"),
    "in a required member": (needs(a=needs(b=LONG)), "/properties/a/properties/b/minLength"),
    "a sum": (needs(**{f"p{n}": array(200, TEXT) for n in range(9)}), "/required"),
    "by reference": ({"$ref": "#/$defs/a", "$defs": {"a": LONG}}, "/$defs/a/minLength"),
    "in draft 7": (
        {"$schema": DRAFT_7, "minItems": 9, "$ref": "#/definitions/a", "definitions": {"a": LONG}},
        "/definitions/a/minLength",
    ),
    "by parts that say nothing of types": ({"type": "string", "allOf": [{"minLength": 10**8}]}, ""),
    "in all alternatives": ({"anyOf": [LONG, array(10**8), False]}, "/anyOf/0/minLength"),
    "in the first items": ({"type": "array", "minItems": 1, "prefixItems": [LONG]}, "/prefixItems/0/minLength"),
}  # fmt: skip
TAKEN: dict[str, Any] = {
    "true": True,
    "nothing that must be": {"properties": {"a": LONG}},
    "another type": {"minLength": 10**9, "minItems": 10**9, "minProperties": 10**9},
    "an alternative": {"oneOf": [LONG, {"type": "null"}]},
    "items that need not be": {"type": "array", "items": LONG},
    "a loop": {**needs(a={"$ref": "#"}), "additionalProperties": False},
    "a reference that stands alone": {
        "$schema": DRAFT_7, **LONG, "$ref": "#/definitions/a", "definitions": {"a": {}},
    },
    "what is impossible and not large": {"anyOf": [False]},
    "a member that is impossible": needs(a=False),
    "much": array(40_000, {"type": "string", "minLength": 90}),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_met_is_refused_with_its_place(name: str) -> None:
    schema, place = REFUSED[name]
    problem = minimum_size_problem(schema)
    assert problem is not None
    assert (problem.code, problem.pointer) == ("schema_asks_too_much", place)


@pytest.mark.parametrize("name", TAKEN)
def test_what_can_be_met_is_taken(name: str) -> None:
    assert minimum_size_problem(TAKEN[name]) is None


@settings(max_examples=100, deadline=None)
@given(PLAIN_SCHEMAS)
def test_what_people_write_is_taken(schema: Any) -> None:
    assert minimum_size_problem(schema) is None


@settings(max_examples=100, deadline=None)
@given(ANY_SCHEMAS)
def test_no_schema_is_too_odd(schema: Any) -> None:
    minimum_size_problem(schema)


def test_time_is_linear_in_the_schema() -> None:
    doubling = {f"d{n}": needs(**{key: {"$ref": f"#/$defs/d{n + 1}"} for key in "ab"}) for n in range(900)}
    schema = orjson.loads(orjson.dumps({"$ref": "#/$defs/d0", "$defs": {**doubling, "d900": {}}}))
    began = time.thread_time()
    problem = minimum_size_problem(schema)
    assert time.thread_time() - began < 1
    assert problem is not None
