"""JSON Schemas of Python types."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import TypeAdapter

from flexrun_sdk.errors import CapabilityMistake

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/"

Mode = Literal["validation", "serialization"]


def schema_of(adapter: TypeAdapter[Any], mode: Mode) -> dict[str, Any]:
    """The JSON Schema of a type, in its wire names: as it is read (`validation`), or written (`serialization`)."""
    return {"$schema": DIALECT, **adapter.json_schema(mode=mode, by_alias=True)}


def facet_schema(name: str, adapter: TypeAdapter[Any], mode: Mode) -> dict[str, Any] | None:
    """The schema of a facet that a type describes; None for a type that is no object with named members.

    It stands alone wherever it is put: what it refers to is written out. Raises CapabilityMistake for a type that
    contains itself.
    """
    schema = schema_of(adapter, mode)
    definitions: dict[str, Any] = schema.pop("$defs", {})
    written = cast("dict[str, Any]", _inlined(schema, definitions, (), name))
    if written.get("type") != "object" or not isinstance(written.get("properties"), dict):
        return None
    written.setdefault("required", [])
    said = str(written.get("description") or "").strip() or f"The facet {name}."
    return {**written, "title": name, "description": said}


def _inlined(part: Any, definitions: dict[str, Any], inside: tuple[str, ...], name: str) -> Any:
    if isinstance(part, list):
        return [_inlined(each, definitions, inside, name) for each in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    members = cast("dict[str, Any]", part)
    reference = members.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
        return {key: _inlined(value, definitions, inside, name) for key, value in members.items()}
    target = reference.removeprefix(_REFERENCE)
    if target in inside:
        raise CapabilityMistake(
            f"{target} contains itself, so that the facet {name!r} cannot be written out; give it a plain dict there."
        )
    beside = {key: value for key, value in members.items() if key != "$ref"}
    return _inlined({**definitions[target], **beside}, definitions, (*inside, target), name)
