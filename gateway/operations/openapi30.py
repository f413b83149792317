"""The OpenAPI document once more, as 3.0, for generators and gateways that read no 3.1.

What 3.0 cannot say is left out, so that it allows more than 3.1 does, never less: which payload belongs to which type
of event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from gateway.endpoint import Endpoint
from gateway.operations.openapi import openapi_document

_LISTS = ("anyOf", "oneOf", "allOf")
_INNER = ("items", "additionalProperties", "not")
_UNKNOWN_THERE = (
    "if",
    "then",
    "else",
    "$schema",
    "$comment",
    "contentMediaType",
    "contentSchema",
    "patternProperties",
    "propertyNames",
)


@lru_cache(maxsize=2)
def openapi_30_document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The document that `/openapi-3.0.json` answers with."""
    document = openapi_document(endpoints, version)
    components = document["components"]
    schemas = {name: _schema(schema) for name, schema in components["schemas"].items()}
    made = {
        **document,
        "openapi": "3.0.3",
        "paths": _with_schemas(document["paths"]),
        "components": {**components, "schemas": schemas},
    }
    _give_types(made, schemas)
    return made


def _with_schemas(value: Any) -> Any:
    """Paths with every schema below them converted."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: _schema(child) if key == "schema" else _with_schemas(child) for key, child in items}
    if isinstance(value, list):
        return [_with_schemas(child) for child in cast("list[Any]", value)]
    return value


def _schema(schema: Any) -> Any:
    if schema is True:
        return {}
    if not isinstance(schema, Mapping):
        return {"not": {}}
    made = {k: v for k, v in cast("Mapping[str, Any]", schema).items() if k not in _UNKNOWN_THERE}
    _convert_inner(made)
    _convert_values(made)
    return _nullable(_types_apart(made))


def _convert_inner(made: dict[str, Any]) -> None:
    if "properties" in made:
        made["properties"] = {name: _schema(child) for name, child in made["properties"].items()}
    for key in _INNER:
        if key in made and not isinstance(made[key], bool):
            made[key] = _schema(made[key])
    for key in _LISTS:
        if key in made:
            made[key] = [_schema(child) for child in made[key]]
    if not any(made.get("allOf", [True])):
        del made["allOf"]  # only rules that 3.0 has no words for


def _convert_values(made: dict[str, Any]) -> None:
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if examples := made.pop("examples", None):
        made["example"] = examples[0]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in made:
            made[bound], made[exclusive] = made[exclusive], True
    if "$ref" in made and len(made) > 1:
        made["allOf"] = [{"$ref": made.pop("$ref")}, *made.get("allOf", [])]


def _types_apart(made: dict[str, Any]) -> dict[str, Any]:
    """A list of types as one `type`, or as `anyOf`."""
    types = made.get("type")
    if types == "null":
        return {**{k: v for k, v in made.items() if k != "type"}, "nullable": True, "enum": [None]}
    if not isinstance(types, list):
        return made
    names = [name for name in cast("list[str]", types) if name != "null"]
    rest = {key: value for key, value in made.items() if key != "type"}
    if len(names) < len(cast("list[str]", types)):
        rest["nullable"] = True
    if len(names) == 1:
        return {**rest, "type": names[0]}
    each: list[dict[str, Any]] = [
        {"type": name, **({"items": {}} if name == "array" else {})} for name in names
    ]
    return {**rest, "allOf": [*rest.get("allOf", []), {"anyOf": each}]}


def _nullable(made: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` with null among it as `nullable`."""
    choices = made.get("anyOf", [])
    others = [choice for choice in choices if choice.get("enum") != [None]]
    if len(others) == len(choices):
        return made
    rest = {key: value for key, value in made.items() if key != "anyOf"}
    if len(others) == 1 and "type" in others[0]:
        values = {"enum": [*others[0]["enum"], None]} if "enum" in others[0] else {}
        return {**others[0], **values, **rest, "nullable": True}
    return {**rest, "nullable": True, "anyOf": [*others, {"nullable": True, "enum": [None]}]}


def _give_types(value: Any, schemas: Mapping[str, Any]) -> None:
    """Put a `type` beside each `nullable` of choices: 3.0 lets `nullable` count there only.

    Validators read that of the choice of null, generators the one beside the choices. Where these are of several
    types there is no place for the latter.
    """
    if isinstance(value, list):
        for child in cast("list[Any]", value):
            _give_types(child, schemas)
    if not isinstance(value, dict):
        return
    made = cast("dict[str, Any]", value)
    if made.get("nullable") is True and "anyOf" in made and "type" not in made:
        *others, null = made["anyOf"]
        types = {_type_of(choice, schemas) for choice in others}
        common = types.pop() if len(types) == 1 else None
        null["type"] = common or "object"
        if common is None:
            del made["nullable"]
        else:
            made["type"] = common
    for child in made.values():
        _give_types(child, schemas)


def _type_of(choice: Mapping[str, Any], schemas: Mapping[str, Any]) -> str | None:
    reference = choice.get("$ref")
    return _type_of(schemas[reference.rpartition("/")[2]], schemas) if reference else choice.get("type")
