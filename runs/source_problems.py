"""What is wrong with `bundle.facets` of a node that a caller has written; see `runs.facet_sources`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from runs.composition import NODE_KEY, POINTER_KEY
from runs.event import Json, JsonObject
from runs.facet_sources import FACETS_KEY, INPUT_KEY
from schemas.plan import PlanNode
from schemas.pointer import escape
from schemas.refusal import FieldProblem
from schemas.spelling import suggest

INVALID = "facet_source_invalid"
_FORMS = (
    'A source is {"$input": pointer}, or {"$node": id} of a node in dependsOn, with "$pointer" for a part of its'
    " output; or a list of these."
)


def facet_source_problems(node: PlanNode, place: str) -> Iterator[FieldProblem]:
    """A problem for each source that is none, with its place below `place`."""
    sources: Json = node.bundle.get(FACETS_KEY)
    if sources is None:
        return
    root = f"{place}/bundle/{FACETS_KEY}"
    if not isinstance(sources, dict):
        yield FieldProblem(INVALID, root, "This is an object: a source for each facet, by its name.")
        return
    for name, source in cast(JsonObject, sources).items():
        here = f"{root}/{escape(name)}"
        if isinstance(source, list):
            for index, each in enumerate(cast("list[Json]", source)):
                yield from _problems(each, node, f"{here}/{index}")
        else:
            yield from _problems(source, node, here)


def _problems(source: Json, node: PlanNode, place: str) -> Iterator[FieldProblem]:
    described = cast(JsonObject, source) if isinstance(source, dict) else {}
    if set(described) == {INPUT_KEY}:
        if not _is_pointer(described[INPUT_KEY]):
            yield FieldProblem(
                INVALID, f"{place}/{INPUT_KEY}", "This is no JSON pointer, such as /facets/ticket."
            )
        return
    if NODE_KEY not in described or not set(described) <= {NODE_KEY, POINTER_KEY}:
        yield FieldProblem(INVALID, place, _FORMS)
        return
    needed: Json = described[NODE_KEY]
    if needed not in node.depends_on:
        near = suggest(needed, node.depends_on) if isinstance(needed, str) else ""
        yield FieldProblem(
            INVALID, f"{place}/{NODE_KEY}", f"{node.id} does not depend on this node{near or '.'}"
        )
    if not _is_pointer(described.get(POINTER_KEY, "")):
        yield FieldProblem(INVALID, f"{place}/{POINTER_KEY}", "This is no JSON pointer, such as /mood.")


def _is_pointer(value: Json) -> bool:
    return isinstance(value, str) and (value == "" or value.startswith("/"))
