"""JSON Schemas of Python types."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import TypeAdapter

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Mode = Literal["validation", "serialization"]


def schema_of(adapter: TypeAdapter[Any], mode: Mode) -> dict[str, Any]:
    """The JSON Schema of a type, in its wire names: as it is read (`validation`), or written (`serialization`)."""
    return {"$schema": DIALECT, **adapter.json_schema(mode=mode, by_alias=True)}


def facet_schema(name: str, adapter: TypeAdapter[Any], mode: Mode) -> dict[str, Any] | None:
    """The schema of a facet that a type describes; None for a type that is no object with named members."""
    schema = schema_of(adapter, mode)
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), dict):
        return None
    said = str(schema.get("description") or "").strip() or f"The facet {name}."
    return {**schema, "required": schema.get("required", []), "title": name, "description": said}
