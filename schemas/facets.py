"""The facet catalogue: named pieces of meaning, each with the JSON Schema that says what it looks like.

Capabilities say which facets they take and give; a caller may ask for facets by name in place of a schema. Each facet
is a file in `schemas/catalogue/`, named after it: `{"many": bool, "schema": JSON Schema}`. The files are read and
checked once, when this module is imported. Facets that callers register are in the database: `eventstore/facets.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

import orjson

from schemas.pointer import escape

DIALECT = "https://json-schema.org/draft/2020-12/schema"
CATALOGUE = Path(__file__).with_name("catalogue")
SHIPPED_VERSION = "1.0.0"
"""The version of the facets in `CATALOGUE`."""


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
    version: str = SHIPPED_VERSION

    def delivered(self) -> dict[str, Any]:
        """The schema of what a contract takes for this facet, as a schema of its own: one, or a list of them."""
        return _one_or_many(self.schema, self.many, "#")


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


def facets_schema(
    names: Iterable[str], pinned: Mapping[str, dict[str, Any]] = MappingProxyType({})
) -> dict[str, Any]:
    """The schema of an object that has exactly these facets as its keys.

    `pinned` has the registered ones as `pinned_facets` wrote them into the run. A facet that is neither there nor in
    the catalogue may be anything: the planner decides whether some capability can give it.
    """
    wanted = list(names)
    return {
        "$schema": DIALECT,
        "type": "object",
        "required": wanted,
        "additionalProperties": False,
        "properties": {name: _delivered(name, pinned.get(name)) for name in wanted},
    }


def pinned_facets(names: Iterable[str], known: Mapping[str, Facet]) -> dict[str, Any]:
    """Of these facets those that are not in the catalogue as it is shipped, in the form in which a run keeps them."""
    return {
        name: {"version": facet.version, "many": facet.many, "schema": facet.schema}
        for name in names
        if (facet := known.get(name)) is not None and facet is not FACETS.get(name)
    }


def _delivered(name: str, pinned: dict[str, Any] | None) -> dict[str, Any] | bool:
    place = "#/properties/" + quote(escape(name))
    if pinned is not None:
        return _one_or_many(pinned["schema"], pinned["many"], place)
    facet = FACETS.get(name)
    return True if facet is None else _one_or_many(facet.schema, facet.many, place)


def _one_or_many(schema: dict[str, Any], many: bool, place: str) -> dict[str, Any]:
    """The schema as it stands at `place` of another one, which declares the dialect."""
    inside = f"{place}/anyOf/0" if many else place
    one = {key: _moved(key, value, inside) for key, value in schema.items() if key != "$schema"}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]} if many else one


_DATA = frozenset({"const", "default", "enum", "examples"})
_BY_NAME = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})


def _moved(keyword: str, value: Any, place: str) -> Any:
    """The value of a keyword, with its references to places of the schema leading to the same places below `place`."""
    if keyword == "$ref" and isinstance(value, str) and value.startswith("#"):
        return place + value[1:]
    if keyword in _DATA:
        return value
    if isinstance(value, list):
        return [_moved("", each, place) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    return {key: _moved("" if keyword in _BY_NAME else key, each, place) for key, each in members.items()}
