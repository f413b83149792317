"""One schema out of several that must all hold: references followed, `allOf` folded in, choices left open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from contracts.grammar.identity import reads_ref_alone
from contracts.grammar.references import LocalReferences, RemoteReference
from planner.mapping.limits import Limits, merge_limits
from planner.mapping.values import frozen, frozen_set, weight
from schemas.pointer import build, escape

Schema = dict[str, Any]
Located = tuple[Any, str]
"""A schema and the JSON pointer to it in the envelope."""

MAX_LOOKS = 8_000
"""How many places and schemas the planning of one run may look at; a person's contract needs some hundred."""

MAX_TOUCHED = 200_000
"""How many values of the contract and of the envelope may be touched on the way, each time counted anew."""


_SIZED = (list, dict)
_LISTED = ("properties", "required", "items", "prefixItems", "allOf")


class TooComplex(Exception):
    """The contract unfolds into more than the planner looks at."""


@dataclass(slots=True)
class Budget:
    """Looks and values that are left. Both methods raise TooComplex when there are none."""

    looks: int = MAX_LOOKS
    values: int = MAX_TOUCHED

    def spend(self) -> None:
        """One look."""
        self.looks -= 1
        if self.looks < 0:
            raise TooComplex

    def touch(self, values: int) -> None:
        """Before touching so many values."""
        self.values -= values
        if self.values < 0:
            raise TooComplex


@dataclass(slots=True)
class Flat:
    """All that is known of one place in the caller's output, in terms that need no further looking up."""

    path: str
    impossible: bool = False
    types: frozenset[str] | None = None
    consts: list[Any] = field(default_factory=list[Any])
    enum: list[Any] | None = None
    defaults: list[Any] = field(default_factory=list[Any])
    properties: dict[str, list[Located]] = field(default_factory=dict[str, list[Located]])
    required: list[str] = field(default_factory=list[str])
    closed_to: list[frozenset[str]] = field(default_factory=list[frozenset[str]])
    additional: list[Located] = field(default_factory=list[Located])
    items: list[Located] = field(default_factory=list[Located])
    prefix_items: list[list[Located]] = field(default_factory=list[list[Located]])
    limits: Limits = field(default_factory=Limits)
    open_choices: list[tuple[list[Any], str]] = field(default_factory=list[tuple[list[Any], str]])

    def takes(self, json_type: str) -> bool:
        """Whether the schema's `type` lets a value of this type in; an integer is a number too."""
        if self.types is None or json_type in self.types:
            return True
        return json_type == "integer" and "number" in self.types

    def allows(self, name: str) -> bool:
        """Whether the object may have a property of this name."""
        return all(name in names for names in self.closed_to)

    @property
    def says_nothing_of_members(self) -> bool:
        return not (self.properties or self.required or self.additional or self.closed_to)


class Flattener:
    """Flattens the parts of one contract. Raises TooComplex when `budget` is spent."""

    def __init__(self, root: Any, root_path: str, budget: Budget) -> None:
        document: Schema = cast(Schema, root) if isinstance(root, dict) else {}
        self._references = LocalReferences(document)
        self._ref_stands_alone = "$schema" in document and reads_ref_alone(document)
        self._root_path = root_path
        self._followed: dict[str, Located] = {}
        self._budget = budget
        self._seen: dict[tuple[tuple[int, str], ...], tuple[list[Located], Flat]] = {}

    def alternatives(self, schemas: list[Located]) -> Iterable[Flat]:
        """The flat schema, or one for each way through its `anyOf` and `oneOf`, in the caller's order.

        Every item goes through the same schemas, so what has no alternatives is flattened once. The schemas are kept
        beside it: they must outlive their ids.
        """
        key = tuple([(id(schema), path) for schema, path in schemas])
        known = self._seen.get(key)
        if known is not None:
            return (known[1],)
        flat = self._flatten(schemas, {})
        if flat.open_choices:
            return self._alternatives(schemas, {})
        self._seen[key] = (schemas, flat)
        return (flat,)

    def _flatten(self, schemas: list[Located], chosen: dict[int, Located]) -> Flat:
        flat = Flat(path=schemas[0][1] if schemas else "")
        for schema, path in schemas:
            self._absorb(flat, schema, path, chosen, ())
        return flat

    def _alternatives(self, schemas: list[Located], chosen: dict[int, Located]) -> Iterator[Flat]:
        flat = self._flatten(schemas, chosen)
        if not flat.open_choices:
            yield flat
            return
        branches, path = flat.open_choices[0]
        for index, branch in enumerate(branches):
            yield from self._alternatives(schemas, {**chosen, id(branches): (branch, f"{path}/{index}")})

    def _absorb(
        self, flat: Flat, schema: Any, path: str, chosen: dict[int, Located], followed: tuple[int, ...]
    ) -> None:
        self._budget.spend()
        if schema is False:
            flat.impossible = True
        if not isinstance(schema, dict) or not schema:
            return
        keywords = cast(Schema, schema)
        self._budget.touch(len(keywords))
        if "$ref" in keywords:
            if id(keywords) in followed:
                flat.impossible = True
                return
            target, target_path = self._follow(keywords["$ref"])
            self._absorb(flat, target, target_path, chosen, (*followed, id(keywords)))
            if self._ref_stands_alone:
                return
        listed = [keywords[name] for name in _LISTED if name in keywords]
        sized = cast("list[list[Any]]", [each for each in listed if isinstance(each, _SIZED)])
        self._budget.touch(sum(map(len, sized)))
        self._take_values(flat, keywords)
        _take_members(flat, keywords, path)
        _take_items(flat, keywords, path)
        if not merge_limits(flat.limits, keywords):
            flat.impossible = True
        for index, part in enumerate(_list_at(keywords, "allOf")):
            self._absorb(flat, part, f"{path}/allOf/{index}", chosen, followed)
        for choice in ("anyOf", "oneOf"):
            self._take_choice(flat, keywords, choice, path, chosen, followed)

    def _follow(self, reference: Any) -> Located:
        """The schema that `reference` names; `False`, which no value meets, where it leads nowhere in the contract."""
        if not isinstance(reference, str):
            return False, self._root_path
        known = self._followed.get(reference)
        if known is None:
            try:
                path, target = self._references.resolve(reference)
            except (LookupError, RemoteReference):
                known = (False, self._root_path)
            else:
                known = (target, self._root_path + build(path))
            self._followed[reference] = known
        return known

    def _take_values(self, flat: Flat, keywords: Schema) -> None:
        types = keywords.get("type")
        if types is not None:
            named: list[Any] = cast(list[Any], types) if isinstance(types, list) else [types]
            names = frozenset(name for name in named if isinstance(name, str))
            flat.types = names if flat.types is None else _common_types(flat.types, names)
            flat.impossible |= not flat.types
        if "const" in keywords:
            flat.consts.append(keywords["const"])
        if isinstance(keywords.get("enum"), list):
            flat.enum = self._common(flat.enum, _list_at(keywords, "enum"))
            flat.impossible |= not flat.enum
        if "default" in keywords:
            flat.defaults.append(keywords["default"])

    def _common(self, known: list[Any] | None, values: list[Any]) -> list[Any]:
        """The values of two enums that must both hold, in the order of the first."""
        if known is None:
            return values
        self._budget.touch(weight(known) + weight(values))
        others = frozen_set(values)
        return [value for value in known if frozen(value) in others]

    def _take_choice(
        self,
        flat: Flat,
        keywords: Schema,
        choice: str,
        path: str,
        chosen: dict[int, Located],
        followed: tuple[int, ...],
    ) -> None:
        branches = _list_at(keywords, choice)
        if not branches:
            return
        taken = chosen.get(id(branches))
        if taken is None:
            flat.open_choices.append((branches, f"{path}/{choice}"))
        else:
            self._absorb(flat, taken[0], taken[1], chosen, followed)


def _list_at(keywords: Schema, keyword: str) -> list[Any]:
    value = keywords.get(keyword)
    return cast(list[Any], value) if isinstance(value, list) else []


def _common_types(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    common = one & other
    if "integer" in one | other and "number" in one | other:
        common |= {"integer"}
    return common


def _take_members(flat: Flat, keywords: Schema, path: str) -> None:
    properties = keywords.get("properties")
    declared = cast(Schema, properties) if isinstance(properties, dict) else {}
    for name, schema in declared.items():
        flat.properties.setdefault(name, []).append((schema, f"{path}/properties/{escape(name)}"))
    flat.required += [name for name in _list_at(keywords, "required") if isinstance(name, str)]
    rest = keywords.get("additionalProperties", keywords.get("unevaluatedProperties"))
    if rest is False and "patternProperties" not in keywords:
        flat.closed_to.append(frozenset(declared))
    elif isinstance(rest, dict):
        flat.additional.append((cast(Schema, rest), f"{path}/additionalProperties"))


def _take_items(flat: Flat, keywords: Schema, path: str) -> None:
    prefix, items = keywords.get("prefixItems"), keywords.get("items")
    if isinstance(prefix, list):
        flat.prefix_items.append(_located(cast(list[Any], prefix), f"{path}/prefixItems"))
    if isinstance(items, list):
        flat.prefix_items.append(_located(cast(list[Any], items), f"{path}/items"))
    elif items is not None:
        flat.items.append((items, f"{path}/items"))


def _located(schemas: list[Any], path: str) -> list[Located]:
    return [(schema, f"{path}/{index}") for index, schema in enumerate(schemas)]
