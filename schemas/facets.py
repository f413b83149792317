"""The facet catalogue: named pieces of meaning, each with the JSON Schema that says what it looks like.

Capabilities say which facets they take and give; a caller may ask for facets by name in place of a schema. Each facet
is a file in `schemas/catalogue/`, named after it: `{"many": bool, "schema": JSON Schema}`. The files are read and
checked once, when this module is imported.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import orjson

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CATALOGUE = Path(__file__).with_name("catalogue")


class FacetFaulty(Exception):
    """A file of the catalogue is no facet; the message names the file and what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet; `schema` is a JSON Schema of draft 2020-12 and must not be changed.

    Of a facet with `many` a contract takes one or a list: a run may make several variants.
    """

    name: str
    description: str
    schema: dict[str, Any]
    many: bool = False


def load_catalogue(folder: Path) -> Mapping[str, Facet]:
    """The facets in `folder` by name, in the order of their names.

    Raises FacetFaulty for a file that is not a facet, OSError for a folder or file that cannot be read.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    return MappingProxyType({path.stem: _load_facet(path) for path in paths})


def _load_facet(path: Path) -> Facet:
    try:
        parsed: Any = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise FacetFaulty(f"{path}: this is not JSON: {error}") from None
    fault = _fault(parsed, path.stem)
    if fault is not None:
        raise FacetFaulty(f"{path}: {fault}")
    schema: dict[str, Any] = parsed["schema"]
    return Facet(path.stem, schema["description"], schema, parsed.get("many", False))


def _fault(parsed: Any, name: str) -> str | None:
    """What keeps a file's content from being the facet `name`; None where nothing does."""
    if not isinstance(parsed, dict):
        return "a facet is an object"
    keys = cast("dict[str, Any]", parsed)
    if unknown := keys.keys() - {"many", "schema"}:
        return f"unknown key {min(unknown)!r}; a facet has 'many' and 'schema'"
    if not isinstance(keys.get("many", False), bool):
        return "'many' must be true or false"
    schema = keys.get("schema")
    return (
        _schema_fault(cast("dict[str, Any]", schema), name)
        if isinstance(schema, dict)
        else "'schema' is missing"
    )


def _schema_fault(schema: dict[str, Any], name: str) -> str | None:
    if schema.get("$schema") != DIALECT:
        return f"'$schema' must be {DIALECT}"
    if schema.get("title") != name:
        return f"'title' must be {name!r}, as the file is named"
    if not isinstance(schema.get("description"), str) or not schema["description"].strip():
        return "'description' must say in words what the facet is"
    properties, required = schema.get("properties"), schema.get("required")
    if schema.get("type") != "object" or not isinstance(properties, dict) or not isinstance(required, list):
        return "'schema' must be of type object, with 'properties' and 'required'"
    declared = cast("dict[str, Any]", properties)
    undeclared = [each for each in cast("list[Any]", required) if each not in declared]
    return f"'required' names {undeclared[0]!r}, which is no property" if undeclared else None


FACETS = load_catalogue(CATALOGUE)


def facets_schema(names: Iterable[str]) -> dict[str, Any]:
    """The schema of an object that has exactly these facets as its keys.

    A facet that is not in the catalogue may be anything: the planner decides whether some capability can give it.
    """
    wanted = list(names)
    return {
        "$schema": DIALECT,
        "type": "object",
        "required": wanted,
        "additionalProperties": False,
        "properties": {name: _delivered(name) for name in wanted},
    }


def _delivered(name: str) -> dict[str, Any] | bool:
    facet = FACETS.get(name)
    if facet is None:
        return True
    one = _embedded(facet.schema)
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]} if facet.many else one


def _embedded(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without its dialect, which is declared once, at the root."""
    return {key: value for key, value in schema.items() if key != "$schema"}
