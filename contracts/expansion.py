"""How large a schema becomes when every reference is replaced by what it points to, without ever doing it."""

from collections.abc import Callable, Iterable, Iterator

from contracts.grammar.references import ReferenceMap
from contracts.grammar.subschemas import NOT_EVALUATED, SAME_PLACE, Schema, children

Edges = Callable[[Schema], Iterable[Schema]]


def same_place_edges(references: ReferenceMap, *, ref_stands_alone: bool) -> Edges:
    """From a schema to those that judge the same value; `ref_stands_alone` is how drafts 4 to 7 read `$ref`."""

    def edges(schema: Schema) -> Iterator[Schema]:
        yield from references.targets.get(id(schema), ())
        if not (ref_stands_alone and "$ref" in schema):
            yield from (child for keyword, _, child in children(schema) if keyword in SAME_PLACE)

    return edges


def all_edges(references: ReferenceMap, *, ref_stands_alone: bool) -> Edges:
    """From a schema to all that can be evaluated because of it."""

    def edges(schema: Schema) -> Iterator[Schema]:
        yield from references.targets.get(id(schema), ())
        if not (ref_stands_alone and "$ref" in schema):
            yield from (child for keyword, _, child in children(schema) if keyword not in NOT_EVALUATED)

    return edges


def expanded_sizes(starts: Iterable[Schema], edges: Edges, cap: int) -> tuple[dict[int, int], list[Schema]]:
    """For each schema reached, by `id()`, the number of schemas in its expansion, counted up to `cap` + 1.

    A reference back to a schema that is still being expanded counts one and ends there; the second value lists
    those. A shared definition is measured once, however often it is used.
    """
    sizes: dict[int, int] = {}
    looping: list[Schema] = []
    for start in starts:
        if id(start) not in sizes:
            _measure(start, edges, cap, sizes, looping)
    return sizes, looping


def _measure(start: Schema, edges: Edges, cap: int, sizes: dict[int, int], looping: list[Schema]) -> None:
    open_ids = {id(start)}
    stack: list[tuple[Schema, Iterator[Schema]]] = [(start, iter(edges(start)))]
    totals = [1]
    while stack:
        schema, remaining = stack[-1]
        child = next(remaining, None)
        if child is None:
            stack.pop()
            open_ids.discard(id(schema))
            sizes[id(schema)] = size = min(totals.pop(), cap + 1)
            if totals:
                totals[-1] += size
        elif id(child) in open_ids:
            totals[-1] += 1
            looping.append(child)
        elif id(child) in sizes:
            totals[-1] += sizes[id(child)]
        else:
            open_ids.add(id(child))
            stack.append((child, iter(edges(child))))
            totals.append(1)
