"""Which capabilities a plan has work after which others: two plans of one shape are the same to a person."""

from __future__ import annotations

from collections.abc import Iterable

from runs.event import JsonObject
from schemas.canonical import content_hash


def plan_shape(nodes: Iterable[JsonObject]) -> str:
    """A name for the shape of these nodes (wire form), whatever they are called and whatever is in their bundles."""
    listed = list(nodes)
    capability: dict[str, str] = {node["id"]: node["capabilityId"] for node in listed}
    return content_hash(
        sorted(
            [
                node["capabilityId"],
                node["kind"],
                sorted(capability[each] for each in node.get("dependsOn") or ()),
            ]
            for node in listed
        )
    )
