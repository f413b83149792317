"""Where a JSON Schema holds schemas, as opposed to data: one grammar for all drafts, a little wider than each.

`{"const": {"$ref": "http://..."}}` holds no reference, `{"not": {"$ref": "http://..."}}` does. Everything that
looks into a caller's schema goes by these tables, so that all of it means the same places.
"""

from collections.abc import Iterator
from typing import Any, cast

from schemas.json_text import Path

Schema = dict[str, Any]

ONE_SCHEMA = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
SCHEMA_LISTS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
SCHEMA_MAPS = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
SAME_PLACE = frozenset(
    {"allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "not", "oneOf", "then"}
)
"""Keywords whose schemas judge the very value that their parent judges, so that a loop of them never ends."""

NOT_EVALUATED = frozenset({"$defs", "contentSchema", "definitions"})
REFERENCES = ("$dynamicRef", "$recursiveRef", "$ref")


def children(schema: Schema) -> Iterator[tuple[str, Path, Schema]]:
    """The object schemas directly inside `schema`, as (keyword, path below `schema`, child).

    Boolean schemas and values that are no schema are left out: they lead nowhere.
    """
    for keyword, value in schema.items():
        if isinstance(value, dict):
            yield from _children_of_object(keyword, cast("Schema", value))
        elif isinstance(value, list) and keyword in SCHEMA_LISTS:
            for index, item in enumerate(cast("list[Any]", value)):
                if isinstance(item, dict):
                    yield keyword, (keyword, index), cast("Schema", item)


def _children_of_object(keyword: str, value: Schema) -> Iterator[tuple[str, Path, Schema]]:
    if keyword in ONE_SCHEMA:
        yield keyword, (keyword,), value
    elif keyword in SCHEMA_MAPS:
        for name, member in value.items():
            if isinstance(member, dict):
                yield keyword, (keyword, name), cast("Schema", member)


def every_subschema(root: Schema) -> Iterator[tuple[Path, Schema]]:
    """`root` and all object schemas below it, parents first; never recursive, never follows a reference."""
    stack: list[tuple[Path, Schema]] = [((), root)]
    while stack:
        path, schema = stack.pop()
        yield path, schema
        below = [((*path, *relative), child) for _, relative, child in children(schema)]
        stack.extend(reversed(below))


def ends_in_keyword(path: list[str | int], keyword: str) -> bool:
    """Whether `path`, from the root of a schema, ends in the keyword itself and not in a property of that name."""
    if not path or path[-1] != keyword:
        return False
    expects_name = False
    for step in path[:-1]:
        expects_name = not expects_name and step in SCHEMA_MAPS
    return not expects_name
