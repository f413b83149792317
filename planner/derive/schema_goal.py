"""From a caller's JSON Schema to a template of facets.

Each place is taken in turn. A constant is itself. Then the first of these that will do: the facet that a hint or the
annotation `x-facet` names, the facet that the property is named after, the facets of this very shape, members of the
facets that have most of what the object requires, an input of this name, what the schema offers as a default. An array
is filled with all variants of a facet of which a run may make several. What is optional and comes from nowhere is left
out. What is required and comes from nowhere may be asked of a transformation (`planner.derive.asked`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.derive.asked import ASKED, Asked
from planner.derive.goal import Goal, GoalUnmet, Part, Slot, Unmet
from planner.derive.places import Place, Problem, problem, told_facet
from planner.derive.schema_places import Matcher, fits_alone, has_no_value, is_fixed, whole
from planner.mapping.fitting import fallback_value, only_value
from planner.mapping.flat import Budget, Flat, Flattener, Located
from planner.mapping.names import canonical
from planner.mapping.problems import Unmappable
from runs.composition import NODE_KEY, referenced_nodes
from schemas.planner_policies import MAX_VARIANTS
from schemas.pointer import escape

COUNT_CONFLICT = "variant_count_conflict"
MAX_DEPTH = 30


@dataclass(slots=True)
class SchemaGoal:
    """Reads one contract. `copies` is how many variants the envelope asks for; None leaves it to the contract."""

    schema: Any
    schema_path: str
    matcher: Matcher
    inputs: Mapping[str, Any]
    hints: Mapping[str, Any]
    copies: int | None
    budget: Budget
    wider: Matcher | None = None
    """The same with all facets that something gives, whether it can be had or not: for what is said in a refusal."""

    asked: Asked | None = None
    """Takes the places for which nothing is made, where a transformation may make them."""

    _left_unasked: bool = False
    _matched: dict[str, str] = field(default_factory=dict[str, str])
    _counts: set[int] = field(default_factory=set[int])
    _flattener: Flattener = field(init=False)
    _inputs: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._flattener = Flattener(self.schema, self.schema_path, self.budget)
        self._inputs = {canonical(name): value for name, value in reversed(list(self.inputs.items())[:500])}

    def read(self) -> Goal:
        """Raises GoalUnmet with every place for which nothing is made, TooComplex."""
        try:
            template = self._value([(self.schema, self.schema_path)], Place())
        except Problem as caught:
            root: list[Located] = [(self.schema, self.schema_path)]
            if self.asked is None or self._left_unasked or not self._may_be_asked(root, Place()):
                raise GoalUnmet(caught.unmet) from None
            self._matched.clear()
            self._counts.clear()
            template = self._slot(self.schema_path, [self.asked.whole()])
        facets = dict.fromkeys(each.partition("#")[0] for each in self._matched.values())
        facets.pop(ASKED, None)
        several = [each for each in facets if each in self.matcher.catalogue.many]
        if several and not self._counts and (self.copies or 1) > 1:
            message = f"The contract has a place for one {several[0]!r}, and there are to be {self.copies}."
            raise GoalUnmet([Unmet(COUNT_CONFLICT, message, self.schema_path)])
        return Goal(template, tuple(facets), max(self._counts, default=1), self._matched)

    def _value(self, located: list[Located], place: Place) -> Any:
        self.budget.spend()
        path = located[0][1]
        if place.depth > MAX_DEPTH:
            raise problem(path, f"The contract nests {place.name[:80]!r} too deeply.")
        told = self._told(located, place)
        if told is not None:
            return told
        first: Problem | None = None
        for flat in self._flattener.alternatives(located):
            try:
                return self._flat(flat, located, place)
            except Problem as caught:
                first = first or caught
        raise first or problem(path, "The contract leaves no alternative here.")

    def _told(self, located: list[Located], place: Place) -> Any:
        """What a hint or an annotation names for this place. Raises Problem where it will not do."""
        path, named = located[0][1], told_facet(located[0], place, self.hints, self.schema_path)
        if named is None:
            return None
        facet, _, member = named.partition("#")
        if facet not in self.matcher.facets:
            message = f"The contract asks for the facet {facet!r} here, which cannot be had."
            raise problem(path, message, [facet])
        found = (
            self.matcher.member(facet, member.strip("/"), whole(located), place.copy)
            if member.strip("/")
            else self.matcher.part(facet, whole(located), place.copy)
        )
        if found is None:
            message = f"What {named!r} may be is not always what the contract accepts here."
            raise problem(path, message)
        return self._slot(path, [found])

    def _flat(self, flat: Flat, located: list[Located], place: Place) -> Any:
        if flat.impossible:
            raise problem(flat.path, "No value can meet all that the contract says here.")
        try:
            fixed = only_value(flat)
        except Unmappable as unmappable:
            raise problem(flat.path, unmappable.problems[0].message) from None
        if fixed is not None:
            return _handed_on((flat.consts or flat.enum or [None])[0], flat.path)
        try:
            return self._found(flat, located, place)
        except Problem:
            if fallback_value(flat) is None:
                raise
            return _handed_on(flat.defaults[0] if flat.defaults else None, flat.path)

    def _found(self, flat: Flat, located: list[Located], place: Place) -> Any:
        schema = whole(located)
        direct = self._direct(schema, place)
        if direct:
            return self._slot(flat.path, direct)
        misfit: Problem | None = None
        if flat.enum is None and flat.takes("array") and (flat.items or flat.prefix_items):
            try:
                return self._array(flat, place)
            except Problem as found:
                misfit = found
        if flat.enum is None and flat.takes("object") and (flat.properties or flat.required):
            return self._object(flat, place)
        known = self._inputs.get(canonical(place.name)) if place.name else None
        if known is not None and fits_alone(known, flat):
            return _handed_on(known, flat.path)
        raise misfit or self._nothing(flat.path, schema, place)

    def _direct(self, schema: Any, place: Place) -> list[Part]:
        """Whole facets, or one member of the facet that this item is made of."""
        if place.item is not None:
            parts = [self.matcher.part(place.item, schema, place.copy)] if not place.name else []
            parts += [self.matcher.member(place.item, place.name, schema, place.copy)] if place.name else []
            if any(parts):
                return [each for each in parts if each]
        named = [self.matcher.part(each, schema) for each in self.matcher.named(place.name) if place.name]
        if any(named):
            return [each for each in named if each]
        if place.item is not None:
            return []
        shaped = [each for each in self.matcher.shaped(schema) if each not in self.matcher.catalogue.many]
        parts = [self.matcher.part(each, schema) for each in shaped]
        if not any(parts) and (place.depth == 0 or not place.name):
            parts = [self.matcher.part(each, schema, 0) for each in self.matcher.shaped(schema)]
        return [each for each in parts if each]

    def _object(self, flat: Flat, place: Place) -> Any:
        unsaid: Located = (True, flat.path)
        wanted: dict[str, list[Located]] = {
            name: flat.properties.get(name) or flat.additional or [unsaid]
            for name in {**flat.properties, **dict.fromkeys(flat.required)}
        }
        for name in [each for each in wanted if not flat.allows(each)]:
            if name in flat.required:
                raise problem(flat.path, f"The contract requires {name[:80]!r} and forbids it at once.")
            del wanted[name]
        groups = self._groups(flat, wanted, place)
        template: dict[str, Any] = {}
        unmet: list[Unmet] = []
        for name, located in wanted.items():
            path = f"{flat.path}/properties/{escape(name)}"
            try:
                _refuse_reference(name, path)
                template[name] = self._member(located, groups.get(name, []), path, place.inside(name))
            except Problem as caught:
                if name not in flat.required:
                    continue
                asked = self._asked_for(located, path, place.inside(name))
                if asked is None:
                    unmet += caught.unmet
                else:
                    template[name] = asked
        if unmet:
            raise Problem(unmet)
        if not template:
            raise self._nothing(flat.path, whole([unsaid]), place)
        return template

    def _asked_for(self, located: list[Located], path: str, place: Place) -> Slot | None:
        """A place that is left to a transformation; what is told to be a certain facet is not."""
        if self.asked is None:
            return None
        if not self._may_be_asked(located, place):
            self._left_unasked = True
            return None
        part = self.asked.part(place.name, whole(located))
        return None if part is None else self._slot(path, [part])

    def _may_be_asked(self, located: list[Located], place: Place) -> bool:
        if place.item is not None or told_facet(located[0], place, self.hints, self.schema_path) is not None:
            return False
        return not all(has_no_value(flat) for flat in self._flattener.alternatives(located))

    def _member(self, located: list[Located], group: Sequence[str], path: str, place: Place) -> Any:
        told = self._told(located, place)
        if told is not None:
            return told
        schema = whole(located)
        named = [self.matcher.part(each, schema) for each in self.matcher.named(place.name)]
        members = [self.matcher.member(each, place.name, schema, self._copy(each, place)) for each in group]
        parts = [each for each in (named if any(named) else members) if each]
        if parts and not is_fixed(schema):
            return self._slot(path, parts)
        return self._value(located, place)

    def _copy(self, facet: str, place: Place) -> int | None:
        if place.copy is not None or facet not in self.matcher.catalogue.many:
            return place.copy
        return 0

    def _groups(self, flat: Flat, wanted: Mapping[str, list[Located]], place: Place) -> dict[str, list[str]]:
        """For each member the facets that it may come from: of the one that has most of what is required, or of those
        that have the same."""
        among = [place.item] if place.item is not None else None
        groups: dict[str, list[str]] = {}
        left = dict(wanted)
        ranked = self.matcher.covering(left, flat.required, among)
        while ranked:
            _, names = ranked[0]
            same = [facet for facet, others in ranked if others == names]
            for name in names:
                groups[name] = same
                left.pop(name, None)
            ranked = self.matcher.covering(left, flat.required, among) if left else []
        return groups

    def _array(self, flat: Flat, place: Place) -> Any:
        """All variants of a facet of which a run may make several."""
        if place.item is not None:
            raise self._nothing(flat.path, whole(flat.items or [(True, flat.path)]), place)
        located = flat.items or flat.prefix_items[0][:1]
        named = [each for each in self.matcher.named(place.name) if each in self.matcher.catalogue.many]
        misfit: Problem | None = None
        for facet in named or self._items_of(located):
            try:
                count = self._count(flat)
                items = [
                    self._value(located, Place("", place.depth + 1, facet, index)) for index in range(count)
                ]
            except Problem as found:
                misfit = misfit or found
                continue
            self._counts.add(count)
            return items
        raise misfit or self._nothing(flat.path, whole(located), place)

    def _items_of(self, located: list[Located]) -> list[str]:
        many = sorted(set(self.matcher.facets) & self.matcher.catalogue.many)
        shaped = self.matcher.shaped(whole(located), many)
        covering: list[str] = []
        for flat in self._flattener.alternatives(located):
            wanted = {name: flat.properties.get(name) or [(True, flat.path)] for name in flat.required}
            covering += [facet for facet, _ in self.matcher.covering(wanted, flat.required, many)]
        return list(dict.fromkeys([*shaped, *covering]))

    def _count(self, flat: Flat) -> int:
        least, most = flat.limits.get("minItems", 0), flat.limits.get("maxItems", MAX_VARIANTS)
        count = self.copies if self.copies is not None else max(1, int(least))
        if not least <= count <= most or count > MAX_VARIANTS:
            message = f"The contract takes {least} to {most} of them, and there are to be {count}."
            raise problem(flat.path, message, code=COUNT_CONFLICT)
        return count

    def _slot(self, path: str, parts: Iterable[Part]) -> Slot:
        options = tuple(parts)
        first = options[0]
        self._matched[path.removeprefix(self.schema_path)] = first.facet + (
            f"#{first.place}" if first.place else ""
        )
        return Slot(options)

    def _nothing(self, path: str, schema: Any, place: Place) -> Problem:
        what = repr(place.name[:80]) if place.name else "this"
        would: Collection[str] = ()
        if self.wider is not None:
            named = [each for each in self.wider.named(place.name) if self.wider.part(each, schema)]
            would = named or self.wider.shaped(schema) or self._would_cover(place, schema)
        known = ", ".join(sorted(self.matcher.facets)[:20]) or "none"
        message = f"Nothing that can be had gives {what}. Facets that can be had are: {known}."
        return problem(path, message, sorted(would)[:5])

    def _would_cover(self, place: Place, schema: Any) -> list[str]:
        if self.wider is None or not place.name:
            return []
        return [each for each in self.wider.facets if self.wider.member(each, place.name, schema)]


def _handed_on(value: Any, path: str) -> Any:
    """A value that goes into the composition as it is. Raises Problem where part of it would be read as a reference."""
    if referenced_nodes(value):
        _refuse_reference(NODE_KEY, path)
    return value


def _refuse_reference(name: str, path: str) -> None:
    if name == NODE_KEY:
        raise problem(
            path, f"A plan cannot write the key {NODE_KEY!r}, which stands for the output of a node."
        )
