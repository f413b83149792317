"""The minimum size of what a schema accepts: a schema that no output within the limits satisfies is refused.

For each schema that a document must pass, and each JSON type, the least that a value of the type takes: in characters
of JSON, and in values. It is a lower bound, in time linear in the schema; what is not understood costs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from contracts.grammar.identity import reads_ref_alone
from contracts.grammar.references import ReferenceMap, map_references
from contracts.grammar.subschemas import Schema
from contracts.problems import SchemaProblem
from schemas import pointer
from schemas.json_text import MAX_OUTPUT_BYTES, MAX_VALUES

_MOST = 10**15
"""More than any limit; what is more is not told apart."""

_NEVER = _MOST + 1
"""Of a type that a schema does not take: that is no matter of amounts."""

_PLAIN = "plain"
_TYPES = ("string", "array", "object", _PLAIN)
_ALTERNATIVES = ("anyOf", "oneOf")
_ASKING = {
    "string": ("minLength",),
    "array": ("minItems", "prefixItems"),
    "object": ("minProperties", "required"),
}

_Least = dict[str, int]
"""By type: the least that a value of it takes."""


@dataclass(frozen=True, slots=True)
class _Measure:
    """What counts, how much there may be of it, and its name."""

    character: int
    value: int
    limit: int
    name: str


_MEASURES = (
    _Measure(1, 0, MAX_OUTPUT_BYTES, "characters of JSON"),
    _Measure(0, 1, MAX_VALUES, "values"),
)


def minimum_size_problem(schema: Any) -> SchemaProblem | None:
    """Why no output can meet `schema` (which has passed the gate), with the place that asks for most."""
    if not isinstance(schema, dict):
        return None
    root = cast("Schema", schema)
    references = map_references(root)
    for measure in _MEASURES:
        amounts = _Amounts(references, measure, ref_stands_alone=reads_ref_alone(root))
        least = amounts.of(root)
        if measure.limit < least < _NEVER:
            message = f"This asks for {least} {measure.name} at least; an output can have {measure.limit}."
            return SchemaProblem("schema_asks_too_much", pointer.build_bounded(amounts.place(root)), message)
    return None


class _Amounts:
    def __init__(self, references: ReferenceMap, measure: _Measure, *, ref_stands_alone: bool) -> None:
        self._targets = references.targets
        self._paths = {id(schema): path for path, schema in references.schemas}
        self._measure = measure
        self._ref_alone = ref_stands_alone
        self._known: dict[int, _Least] = {}

    def of(self, root: Schema) -> int:
        """The minimum over all types. Never recurses; a loop of references counts as nothing."""
        opened: set[int] = set()
        stack = [root]
        while stack:
            schema = stack[-1]
            if id(schema) not in opened:
                opened.add(id(schema))
                stack.extend(each for each in self._needed(schema) if id(each) not in opened)
                continue
            stack.pop()
            if id(schema) not in self._known:
                self._known[id(schema)] = self._least(schema)
        return self._cheapest(root)

    def place(self, root: Schema) -> tuple[str | int, ...]:
        """The innermost place that asks for too much."""
        at, seen = root, {id(root)}
        while True:
            inner = (each for each in self._needed(at) if self._cheapest(each) > self._measure.limit)
            following = next((each for each in inner if id(each) not in seen), None)
            if following is None:
                break
            at = following
            seen.add(id(at))
        path = self._paths.get(id(at), ())
        least = self._known[id(at)]
        worst = min(_TYPES, key=lambda name: least[name])
        keyword = next((each for each in _ASKING.get(worst, ()) if each in at), None)
        return path if keyword is None else (*path, keyword)

    def _alone(self, schema: Schema) -> bool:
        return self._ref_alone and "$ref" in schema

    def _needed(self, schema: Schema) -> Iterator[Schema]:
        """The schemas that decide how much this one asks for."""
        yield from self._targets.get(id(schema), ())
        if self._alone(schema):
            return
        for keyword in ("allOf", *_ALTERNATIVES):
            yield from _schemas(schema.get(keyword))
        if _count(schema, "minItems"):
            first, rest = _items(schema)
            yield from _schemas([*first, rest])
        properties = _mapping(schema.get("properties"))
        yield from _schemas([properties.get(name) for name in _required(schema)])

    def _cheapest(self, schema: Any) -> int:
        return min(self._by_type(schema).values())

    @property
    def _small(self) -> int:
        return self._measure.character + self._measure.value

    def _by_type(self, schema: Any) -> _Least:
        if schema is False:
            return dict.fromkeys(_TYPES, _NEVER)
        return self._known.get(id(schema)) or dict.fromkeys(_TYPES, self._small)

    def _least(self, schema: Schema) -> _Least:
        must = [self._by_type(each) for each in self._targets.get(id(schema), ())]
        if not self._alone(schema):
            must.append(self._own(schema))
            must += [self._by_type(each) for each in _listed(schema.get("allOf"))]
            for keyword in _ALTERNATIVES:
                if options := [self._by_type(each) for each in _listed(schema.get(keyword))]:
                    must.append({name: min(each[name] for each in options) for name in _TYPES})
        return {name: max(each[name] for each in must) for name in _TYPES}

    def _own(self, schema: Schema) -> _Least:
        least = {
            "string": self._text(_count(schema, "minLength")),
            "array": self._array(schema),
            "object": self._object(schema),
            _PLAIN: self._small,
        }
        if "type" in schema:
            taken = {_kind(each) for each in _listed(schema["type"]) or [schema["type"]]}
            least = {name: amount if name in taken else _NEVER for name, amount in least.items()}
        return least

    def _text(self, characters: int) -> int:
        return min(_MOST, self._measure.value + self._measure.character * (characters + 2))

    def _array(self, schema: Schema) -> int:
        count = _count(schema, "minItems")
        first, rest = _items(schema)
        others = max(0, count - len(first))
        parts = [self._cheapest(each) for each in [*first[:count], *([rest] if others else [])]]
        repeated = (others - 1) * parts[-1] if others else 0
        return _sum(parts, self._text(max(0, count - 1)) + repeated)

    def _object(self, schema: Schema) -> int:
        properties = _mapping(schema.get("properties"))
        required = _required(schema)
        parts = [self._cheapest(properties.get(name)) for name in required]
        names = self._measure.character * sum(len(name) + 3 for name in required)
        more = max(0, _count(schema, "minProperties") - len(required))
        return _sum(parts, self._text(0) + names + more * (self._measure.character * 4 + self._small))


def _sum(parts: list[int], more: int) -> int:
    return _NEVER if _NEVER in parts else min(_MOST, sum(parts) + more)


def _kind(name: object) -> str:
    return name if name in ("string", "array", "object") else _PLAIN  # type: ignore[return-value]


def _count(schema: Schema, keyword: str) -> int:
    value = schema.get(keyword)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(max(0, min(value, _MOST)))


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _schemas(value: Any) -> Iterator[Schema]:
    return (cast("Schema", each) for each in _listed(value) if isinstance(each, dict))


def _required(schema: Schema) -> list[str]:
    return list(dict.fromkeys(each for each in _listed(schema.get("required")) if isinstance(each, str)))


def _items(schema: Schema) -> tuple[list[Any], Any]:
    """The schemas of the first items, and the one of the others."""
    items = schema.get("items", True)
    if isinstance(items, list):
        return cast("list[Any]", items), schema.get("additionalItems", True)
    return _listed(schema.get("prefixItems")), items
