"""The facets that an envelope brings, and where in its inputs they are."""

from __future__ import annotations

from typing import Any

from planner.planner import JsonObject
from planner.text import as_list, as_object
from runs.facet_sources import from_input
from schemas import pointer


def given_facets(envelope: JsonObject) -> dict[str, list[JsonObject]]:
    """Facet → the sources of it: `inputs.facets.NAME`, then each entry of `inputs.contextBundles` of this type."""
    inputs = as_object(envelope.get("inputs"))
    found: dict[str, list[JsonObject]] = {}
    for name in as_object(inputs.get("facets")):
        found.setdefault(name, []).append(from_input(pointer.build(("facets", name))))
    for index, entry in enumerate(as_list(inputs.get("contextBundles"))):
        bundle = as_object(entry)
        kind: Any = bundle.get("type")
        if isinstance(kind, str) and "payload" in bundle:
            place = pointer.build(("contextBundles", index, "payload"))
            found.setdefault(kind, []).append(from_input(place))
    return found
