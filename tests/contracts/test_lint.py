"""Schemas that a validator would take and that do not say what was meant are refused, in words and with the place."""

from typing import Any

import pytest

from contracts.checker import ContractChecker
from contracts.lint import MAX_UNKNOWN_KEYWORDS, accepts_everything, lint_schema
from contracts.problems import SchemaRefused

POST = {"type": "object", "required": ["body"], "properties": {"body": {"type": "string"}}}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
NEWEST = "https://json-schema.org/draft/2020-12/schema"


def found(schema: Any) -> list[tuple[str, str, str]]:
    return [(problem.code, problem.pointer, problem.message) for problem in lint_schema(schema)]


@pytest.mark.parametrize(
    ("wrapper", "pointer", "where"),
    [
        ({"name": "post", "strict": True, "schema": POST}, "/schema", "`schema`"),
        (
            {"type": "json_schema", "json_schema": {"name": "post", "schema": POST}},
            "/json_schema/schema",
            "`json_schema.schema`",
        ),
        ({"type": "json_schema", "name": "post", "schema": POST}, "/schema", "`schema`"),
        ({"name": "post", "description": "A post", "input_schema": POST}, "/input_schema", "`input_schema`"),
        ({"name": "post", "parameters": POST}, "/parameters", "`parameters`"),
    ],
)
def test_a_wrapper_is_told_where_its_schema_is(wrapper: Any, pointer: str, where: str) -> None:
    [(code, place, message)] = found(wrapper)
    assert (code, place) == ("schema_wrapped", pointer)
    assert f"the schema is inside {where}" in message


def test_a_property_that_is_called_schema_is_no_wrapper() -> None:
    assert found({"type": "object", "properties": {"schema": POST}}) == []
    assert found({**POST, "schema": POST}) == []


@pytest.mark.parametrize(
    ("misspelt", "value", "meant"),
    [
        ("requred", ["a"], "required"),
        ("require", ["a"], "required"),
        ("propertes", {"a": {}}, "properties"),
        ("additionalproperties", False, "additionalProperties"),
        ("additional_properties", False, "additionalProperties"),
        ("minLenght", 3, "minLength"),
        ("minitems", 1, "minItems"),
        ("maxlength", "3", "maxLength"),
        ("enums", ["a"], "enum"),
        ("oneof", [{}], "oneOf"),
        ("item", {"type": "string"}, "items"),
        ("types", ["string"], "type"),
        ("patern", "^a", "pattern"),
        ("ref", "#/$defs/a", "$ref"),
        ("exclusiveminimum", 3, "exclusiveMinimum"),
    ],
)
@pytest.mark.parametrize(
    "place", ["", "/properties/a", "/items", "/$defs/a/anyOf/0", "/patternProperties/^x/not"]
)
def test_a_misspelt_keyword_is_refused_wherever_a_schema_stands(
    misspelt: str, value: object, meant: str, place: str
) -> None:
    schema: Any = {misspelt: value}
    for step in reversed(place.split("/")[1:]):
        schema = [schema] if step == "0" else {step: schema}
    [(code, pointer, message)] = found(schema)
    assert (code, pointer) == ("schema_misspelt_keyword", f"{place}/{misspelt}")
    assert f"did you mean {meant!r}?" in message


def test_it_is_found_where_only_a_reference_makes_a_schema_of_it() -> None:
    schema = {"$ref": "#/components/a", "components": {"a": {"requred": ["b"]}}}
    assert [place for _, place, _ in found(schema)] == ["/components/a/requred"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "markdownDescription": "x", "errorMessage": "y", "propertyOrder": 3, "order": []},
        {"type": "string", "x-requred": True, "xrequired": ["a"], "_pattern": "^a", "//enum": [1]},
        {"type": "object", "properties": {"requred": {"type": "string"}, "typ": True, "nullable": {}}},
        {"type": "object", "default": {"requred": 1}, "const": {"typ": 2}, "examples": [{"minLenght": 1}]},
        {"type": "string", "example": "a", "id": "a", "note": "a", "href": "a", "term": "a", "cost": 3},
        {"type": "string", "nullable": False},
        {"type": ["object", "string"]},
    ],
)
def test_annotations_and_names_of_properties_are_let_through(schema: Any) -> None:
    assert found(schema) == []


@pytest.mark.parametrize(
    ("schema", "place", "said"),
    [
        ({"items": [{"type": "string"}]}, "/items", "use prefixItems"),
        ({"$schema": NEWEST, "properties": {"a": {"items": [True]}}}, "/properties/a/items", "draft-07"),
        ({"minimum": 5, "exclusiveMinimum": True}, "/exclusiveMinimum", "is draft 4"),
        ({"maximum": 5, "exclusiveMaximum": False}, "/exclusiveMaximum", "number of maximum"),
        ({"properties": {"a": {"required": True}}}, "/properties/a/required", "list of names"),
    ],
)
async def test_the_words_of_another_draft_are_named(
    door: ContractChecker, schema: Any, place: str, said: str
) -> None:
    [(code, pointer, message)] = found(schema)
    assert (code, pointer) == ("schema_other_draft", place)
    assert said in message
    with pytest.raises(SchemaRefused) as refused:
        await door.compile(schema)
    assert [problem.code for problem in refused.value.problems] == ["schema_other_draft"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": DRAFT_7, "items": [{"type": "string"}], "additionalItems": False},
        {"$schema": DRAFT_4, "minimum": 5, "exclusiveMinimum": True},
    ],
)
def test_they_are_taken_where_the_draft_is_named(schema: Any) -> None:
    assert found(schema) == []


@pytest.mark.parametrize("value", [True, "yes"])
def test_nullable_is_refused_with_what_to_write(value: object) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "nullable": value}}}
    [(code, pointer, message)] = found(schema)
    assert (code, pointer) == ("schema_nullable", "/properties/a/nullable")
    assert '"type": ["string", "null"]' in message


@pytest.mark.parametrize("schema", [True, {}, {"description": "A post"}, {"title": "x", "default": {}}])
def test_a_root_that_says_nothing_has_a_problem(schema: Any) -> None:
    problem = accepts_everything(schema)
    assert problem is not None
    assert problem.code == "schema_says_nothing"


def test_a_root_that_only_defines_is_told_to_refer() -> None:
    problem = accepts_everything({"$defs": {"post": POST}})
    assert problem is not None
    assert '"$ref"' in problem.message


@pytest.mark.parametrize("schema", [False, {"type": "object"}, {"$ref": "#/$defs/a"}, {"format": "email"}])
def test_a_root_that_asks_for_something_has_none(schema: Any) -> None:
    assert accepts_everything(schema) is None


async def test_what_was_accepted_once_is_checked_as_it_stands(door: ContractChecker) -> None:
    schema = {"type": "object", "requred": ["a"]}
    with pytest.raises(SchemaRefused):
        await door.compile(schema)
    assert await door.check(schema, {}) == []
    with pytest.raises(SchemaRefused):
        await door.compile(schema)


def test_the_number_of_words_that_are_compared_is_bounded() -> None:
    many = {f"unknown{number}": 1 for number in range(MAX_UNKNOWN_KEYWORDS)}
    assert found({**many, "requred": ["a"]}) == []
    assert [place for _, place, _ in found({"requred": ["a"], **many})] == ["/requred"]
