"""The contract that is nearest to one that cannot be met."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import orjson

from planner.derive.goal import Unmet
from planner.planner import JsonObject
from schemas import pointer


def without(schema: JsonObject, schema_path: str, unmet: Iterable[Unmet]) -> JsonObject | None:
    """The schema without the members that nothing gives; None where nothing would be left of it."""
    copy: JsonObject = orjson.loads(orjson.dumps(schema))
    for each in unmet:
        path = pointer.split(each.path.removeprefix(schema_path))
        if len(path) < 2 or path[-2] != "properties":
            return None
        holder = _at(copy, path[:-2])
        if holder is None:
            return None
        name = path[-1]
        holder.get("properties", {}).pop(name, None)
        holder["required"] = [key for key in holder.get("required", []) if key != name]
    return copy if copy.get("properties") else None


def _at(schema: Any, path: Iterable[str]) -> JsonObject | None:
    for key in path:
        if not isinstance(schema, dict) or key not in schema:
            return None
        schema = cast("JsonObject", schema)[key]
    return cast("JsonObject", schema) if isinstance(schema, dict) else None
