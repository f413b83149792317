"""Whether two JSON Schemas ask for the same, apart from what they say to people."""

from __future__ import annotations

from typing import Any, cast

_FOR_PEOPLE = frozenset({"$schema", "$id", "$comment", "title", "description", "examples"})
_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_VALUES = frozenset({"const", "enum", "default"})
_UNORDERED = frozenset({"required"})


def same_schema(one: Any, other: Any) -> bool:
    """Whether they are equal without titles, descriptions and examples; the order of `required` does not count."""
    return _bare(one) == _bare(other)


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    members = cast("dict[str, Any]", schema)
    return {key: _value(key, value) for key, value in members.items() if key not in _FOR_PEOPLE}


def _value(key: str, value: Any) -> Any:
    if key in _VALUES:
        return value
    if key in _UNORDERED and isinstance(value, list):
        return sorted(str(each) for each in cast("list[Any]", value))
    if key in _BY_NAME and isinstance(value, dict):
        return {name: _bare(each) for name, each in cast("dict[str, Any]", value).items()}
    return _bare(value)
