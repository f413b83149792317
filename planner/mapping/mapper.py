"""From the caller's JSON Schema and the material to an expression that fills it.

Every place of the schema is taken in turn: a constant is itself; a property is looked up by its name; an object is
entered; an array becomes a list of all that the run makes. What is required and comes from nowhere is a problem, what
is optional and comes from nowhere is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from planner.mapping.fitting import fallback_value, fit_items, fit_source, fits_whole_facet, only_value
from planner.mapping.flat import Budget, Flat, Flattener, Located
from planner.mapping.limits import Limits
from planner.mapping.material import Inside, Material
from planner.mapping.names import canonical, singular
from planner.mapping.problems import COUNT, Mapped, MappingProblem, Unmappable
from planner.mapping.scopes import Scope
from planner.mapping.sources import Source
from planner.mapping.values import weight
from runs.expression import looks_like_operator, nodes_in, object_of
from schemas.pointer import escape

MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the caller's output we are. The whole output has no name, and neither has a whole item."""

    name: str
    scope: Scope
    in_item: bool = False
    above: tuple[int, ...] = ()

    @property
    def plain_name(self) -> str:
        return canonical(self.name)

    def inside(self, name: str, scope: Scope, *, in_item: bool = False) -> Place:
        return Place(name, scope, self.in_item or in_item, self.above)


class Mapper:
    """Maps one contract for one material. Its methods raise Unmappable with every problem found, or TooComplex."""

    def __init__(
        self, schema: Any, schema_path: str, material: Material, budget: Budget | None = None
    ) -> None:
        self._budget = budget or Budget()
        self._flattener = Flattener(schema, schema_path, self._budget)
        self._root: Located = (schema, schema_path)
        self._material = material
        self._words = material.vocabulary
        self._available = ""
        self._weights: dict[int, int] = {}

    def map(self) -> Mapped:
        """The whole output."""
        mapped = self._value([self._root], Place("", self._material.root_scope()))
        used = set(nodes_in(mapped.expression))
        if not used:
            what = f"{self._words.items_noun}: the contract has no place for them"
            raise self._nothing(self._root[1], what)
        items = self._material.items
        left_over = [item.label for item in items if item.node_id not in used]
        if left_over and len(left_over) < len(items):
            message = f"The contract has no place for {' and '.join(left_over)}."
            raise Unmappable.at(self._root[1], message, COUNT)
        return mapped

    def _nothing(self, path: str, what: str) -> Unmappable:
        self._available = self._available or self._material.available()
        return Unmappable.at(path, f"Nothing provides {what}. {self._available}")

    def _called(self, place: Place) -> str:
        if place.name:
            return repr(place.name[:80])
        return self._words.whole_item if place.in_item else "the output"

    def _value(self, located: list[Located], place: Place) -> Mapped:
        """One place, whose schemas must all hold; the first of its alternatives that can be filled."""
        self._budget.spend()
        schema, path = located[0]
        here = id(cast("object", schema))
        if here in place.above or len(place.above) > MAX_DEPTH:
            raise Unmappable.at(path, f"The contract nests {self._called(place)} in itself.")
        if isinstance(schema, dict):
            place = Place(place.name, place.scope, place.in_item, (*place.above, here))
        first: Unmappable | None = None
        for flat in self._flattener.alternatives(located):
            try:
                return self._flat(flat, place)
            except Unmappable as unmappable:
                first = first or unmappable
        raise first or Unmappable.at(path, f"The contract leaves no alternative for {self._called(place)}.")

    def _flat(self, flat: Flat, place: Place) -> Mapped:
        if flat.impossible:
            raise Unmappable.at(
                flat.path, f"No value can meet all that the contract says of {self._called(place)}."
            )
        self._budget.touch(len(flat.enum or ()) + len(flat.consts))
        fixed = only_value(flat)
        if fixed is not None:
            return fixed
        try:
            return self._found(flat, place)
        except Unmappable as unmappable:
            fallback = fallback_value(flat)
            if fallback is None or _is_about_count(unmappable):
                raise
            return fallback

    def _found(self, flat: Flat, place: Place) -> Mapped:
        """From the source of that name if it fits, else from what the place is made of."""
        misfit: Unmappable | None = None
        source = self._source(flat, place)
        if source is not None:
            self._budget.touch(self._weight_of(source) + len(flat.enum or ()))
            try:
                return fit_source(flat, source, place.name, self._item_limits(flat, source))
            except Unmappable as unmappable:
                misfit = unmappable
        if flat.enum is None and self._opens_as_object(flat, place):
            return self._object(flat, place)
        if flat.enum is None and self._opens_as_array(flat, place):
            return self._array(flat, place)
        raise misfit or self._nothing(flat.path, self._called(place))

    def _opens_as_object(self, flat: Flat, place: Place) -> bool:
        if not flat.takes("object"):
            return False
        if flat.properties or flat.required:
            return True
        if flat.types is None and (flat.items or flat.prefix_items):
            return False
        name = place.plain_name
        return not name or flat.types is not None or name in self._words.whole_objects

    def _opens_as_array(self, flat: Flat, place: Place) -> bool:
        if not flat.takes("array"):
            return False
        if flat.items or flat.prefix_items:
            return True
        return flat.types is not None and (not place.name or place.plain_name in self._words.item_lists)

    def _source(self, flat: Flat, place: Place) -> Source | None:
        material = self._material
        if not place.name:
            if flat.types != frozenset({"string"}):
                return None
            return material.whole_text(place.scope, in_item=place.in_item)
        name = place.plain_name
        if name in self._words.item_lists and not place.in_item and "array" in (flat.types or ()):
            return None
        source = place.scope.find(name)
        if source is None and not place.in_item and (index := material.item_named(place.name)) is not None:
            return material.whole_text(material.item_scope(index), in_item=True)
        declares_members = bool(flat.properties or flat.required)
        return None if source is not None and source.json_type == "object" and declares_members else source

    def _weight_of(self, source: Source) -> int:
        """How many values of the envelope a look at `source` touches; 1 for what a node makes."""
        if not source.known:
            return 1
        value = cast("object", source.value)
        if not isinstance(value, dict | list):
            return weight(value)
        known = self._weights.get(id(value))  # pyright: ignore[reportUnknownArgumentType]
        if known is None:
            known = self._weights[id(value)] = weight(value)  # pyright: ignore[reportUnknownArgumentType]
        return known

    def _item_limits(self, flat: Flat, source: Source) -> Limits:
        """What the contract asks of each item, where `source` is a list."""
        if source.json_type != "array" or not flat.items:
            return {}
        misfit: Unmappable | None = None
        for items in self._flattener.alternatives(flat.items):
            self._budget.touch(self._weight_of(source) + len(items.enum or ()))
            try:
                return fit_items(flat, source, items)
            except Unmappable as unmappable:
                misfit = misfit or unmappable
        raise misfit or self._nothing(flat.path, "the items")

    def _object(self, flat: Flat, place: Place) -> Mapped:
        if not place.in_item and self._material.names_absent_item(place.name):
            message = f"There is to be no {self._words.item_noun} for {self._called(place)}."
            raise Unmappable.at(flat.path, message, COUNT)
        self._budget.touch(len(flat.properties) + len(flat.required))
        within = self._material.inside(place.name, place.scope, in_item=place.in_item)
        if within.whole is not None and (within.facet is None or fits_whole_facet(flat, within.facet)):
            return within.whole
        if flat.says_nothing_of_members:
            if place.name and not within.in_item and place.plain_name not in self._words.item_objects:
                raise self._nothing(flat.path, self._called(place))
            in_item = place.in_item or within.in_item
            shape = self._words.item_shape if in_item else self._words.output_shape
            return self._value([(shape, flat.path)], place)
        return self._members(flat, place, within)

    def _members(self, flat: Flat, place: Place, within: Inside) -> Mapped:
        scope = self._material.narrowed(within.scope, flat.properties)
        members: dict[str, Mapped] = {}
        missing: list[MappingProblem] = []
        left_out: list[MappingProblem] = []
        required = dict.fromkeys(flat.required)
        for name in {**flat.properties, **required}:
            try:
                members[name] = self._member(flat, name, place.inside(name, scope, in_item=within.in_item))
            except Unmappable as unmappable:
                blamed = missing if name in required or _is_about_count(unmappable) else left_out
                blamed += unmappable.problems
        if missing:
            raise Unmappable(missing)
        mapped = _woven_object(members)
        if not members or not (within.certain or not mapped.content or self._words.is_item(mapped.content)):
            raise Unmappable(left_out) if left_out else self._nothing(flat.path, self._called(place))
        return mapped

    def _member(self, flat: Flat, name: str, place: Place) -> Mapped:
        self._budget.touch(len(flat.closed_to))
        if not flat.allows(name):
            message = f"The contract requires {name[:80]!r} and forbids it at once."
            raise Unmappable.at(flat.path, message)
        unsaid: list[Located] = [(True, f"{flat.path}/properties/{escape(name)}")]
        return self._value(flat.properties.get(name) or flat.additional or unsaid, place)

    def _array(self, flat: Flat, place: Place) -> Mapped:
        """All that the run makes, one by one."""
        if place.in_item:
            raise self._nothing(flat.path, self._called(place))
        certain = not place.name or place.plain_name in self._words.item_lists
        item_name = "" if certain else singular(place.name)
        items = [
            self._value(
                _item_schema(flat, index),
                place.inside(item_name, self._material.item_scope(index), in_item=True),
            )
            for index in range(len(self._material.items))
        ]
        woven = _woven_array(items)
        is_item = certain or item_name in self._words.item_fields or self._words.is_item(woven.content)
        if not (woven.content and is_item):
            raise self._nothing(flat.path, self._called(place))
        self._check_count(flat, place)
        return woven

    def _check_count(self, flat: Flat, place: Place) -> None:
        number = len(self._material.items)
        least, most = flat.limits.get("minItems", 0), flat.limits.get("maxItems", number)
        if not least <= number <= most:
            bounds = f"at least {least}" if number < least else f"at most {most}"
            bounds = f"exactly {least}" if least == most else bounds
            message = f"The contract takes {bounds} in {self._called(place)}, and there would be {number}."
            raise Unmappable.at(flat.path, message, COUNT)


def _is_about_count(unmappable: Unmappable) -> bool:
    return any(problem.code == COUNT for problem in unmappable.problems)


def _item_schema(flat: Flat, index: int) -> list[Located]:
    located = [prefix[index] for prefix in flat.prefix_items if index < len(prefix)]
    return located or flat.items or [(True, f"{flat.path}/items")]


def _woven_object(members: dict[str, Mapped]) -> Mapped:
    plain = all(member.plain for member in members.values()) and not looks_like_operator(members)
    expression = object_of({name: member.expression for name, member in members.items()})
    return _woven(expression, list(members.values()), plain=plain)


def _woven_array(items: list[Mapped]) -> Mapped:
    return _woven([item.expression for item in items], items, plain=all(item.plain for item in items))


def _woven(expression: Any, parts: list[Mapped], *, plain: bool) -> Mapped:
    demands = tuple(demand for part in parts for demand in part.demands)
    content = frozenset[str]().union(*(part.content for part in parts))
    return Mapped(expression, demands, plain, content)
