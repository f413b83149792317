"""What the caller's contract asks of each node: its limits, passed on to the node that makes the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, cast

from planner.mapping.limits import Limits, merge_limits
from planner.mapping.problems import Unmappable
from planner.mapping.sources import PARAGRAPH, Demand
from planner.planner import JsonObject

_AS_LENGTH = {"minimum": "minLength", "maximum": "maxLength"}
_AS_BOUND = {length: bound for bound, length in _AS_LENGTH.items()}
_SAID_TO_PEOPLE = frozenset({"$schema", "title", "description"})
_SHOWN = ("minLength", "maxLength", "minItems", "maxItems")

MAX_OUTPUT_CHARACTERS = 4 * 1024 * 1024
_ITEM_OVERHEAD = len('"",')


@dataclass(slots=True)
class OutputLimits:
    """What the contract asks of one node beyond the node's facet.

    `fields` are limits in JSON Schema's words for fields of its output, `items` those of each item of a list. `texts`
    are numbers of words or characters (`{field: {"words" | "characters": {minimum, maximum}}}`), also of a text that is
    joined from several fields, which are those in `joined`.
    """

    fields: dict[str, Limits] = field(default_factory=dict[str, Limits])
    texts: dict[str, dict[str, Limits]] = field(default_factory=dict[str, dict[str, Limits]])
    items: dict[str, Limits] = field(default_factory=dict[str, Limits])
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    path_of: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, demand: Demand) -> None:
        """Raises Unmappable where a demand excludes an earlier one."""
        self.path_of.setdefault(demand.field, demand.path)
        if demand.joined:
            self.joined[demand.field] = demand.joined
        if demand.joined or demand.aspect == "words":
            aspect = "characters" if demand.aspect == "value" else demand.aspect
            kept = self.texts.setdefault(demand.field, {}).setdefault(aspect, {})
            asked = {
                _AS_BOUND.get(key, key): value for key, value in demand.limits.items() if key != "pattern"
            }
        else:
            kept = self.fields.setdefault(demand.field, {})
            asked = {_AS_LENGTH.get(key, key): value for key, value in demand.limits.items()}
        if not merge_limits(kept, asked) or not merge_limits(
            self.items.setdefault(demand.field, {}), demand.items
        ):
            raise Unmappable.at(demand.path, f"The contract's limits of {demand.field} exclude each other.")

    def counted(self) -> dict[str, dict[str, Limits]]:
        """`texts` without those that have no limit."""
        return {name: bounds for name, by_aspect in self.texts.items()
                if (bounds := {aspect: limits for aspect, limits in by_aspect.items() if limits})}  # fmt: skip


def check_amount(demands: Iterable[Demand]) -> None:
    """Raises Unmappable where the least of all that is asked for is more than an output may hold."""
    amounts = [(_least_characters(demand), demand) for demand in demands]
    total = sum(least for least, _ in amounts)
    if total > MAX_OUTPUT_CHARACTERS:
        _, worst = max(amounts, key=lambda amount: amount[0])
        message = f"The contract asks for {total:.10g} characters at least; an output can have {MAX_OUTPUT_CHARACTERS}."
        raise Unmappable.at(worst.path, message)


def _least_characters(demand: Demand) -> float:
    if demand.aspect == "characters":
        return demand.limits.get("minimum", 0)
    if demand.aspect == "words":
        return max(0, 2 * demand.limits.get("minimum", 0) - 1)
    items = demand.limits.get("minItems", 0)
    return demand.limits.get("minLength", 0) + items * (demand.items.get("minLength", 0) + _ITEM_OVERHEAD)


def limits_by_node(demands: Iterable[Demand]) -> dict[str, OutputLimits]:
    """The demands by node, merged. Raises Unmappable."""
    asked: dict[str, OutputLimits] = {}
    for demand in demands:
        asked.setdefault(demand.node_id, OutputLimits()).add(demand)
    return asked


def output_schema(facet: Mapping[str, Any], asked: OutputLimits | None) -> JsonObject:
    """The facet's schema, narrowed by what the contract asks; every field that is delivered is required.

    Raises Unmappable for a limit that lies outside what the facet can be.
    """
    properties: dict[str, Any] = dict(facet["properties"])
    if asked is not None:
        _check_texts(facet, asked)
        for name, limits in asked.fields.items():
            properties[name] = _narrowed(name, properties[name], limits, asked)
    required = dict.fromkeys((*cast("list[str]", facet.get("required", [])), *_delivered(asked)))
    kept = {key: value for key, value in facet.items() if key not in _SAID_TO_PEOPLE}
    return {**kept, "required": list(required), "properties": properties}


def _check_texts(facet: Mapping[str, Any], asked: OutputLimits) -> None:
    """Raises Unmappable for a number of words or characters that the facet's own lengths do not let in."""
    for name, by_aspect in asked.texts.items():
        characters = by_aspect.get("characters", {}).get("minimum", 0)
        words = by_aspect.get("words", {}).get("minimum", 0)
        least, most = max(characters, 2 * words - 1), _most_characters(facet, name, asked)
        if least > most:
            message = f"{name} can have at most {most} characters, and the contract wants {least} or more."
            raise Unmappable.at(asked.path_of[name], message)


def _most_characters(facet: Mapping[str, Any], name: str, asked: OutputLimits) -> float:
    """Of a text, or of all that is joined to one."""
    properties: dict[str, Any] = facet["properties"]
    if name not in asked.joined:
        return properties[name].get("maxLength", inf)
    return sum(_most_joined(properties[each]) for each in asked.joined[name])


def _most_joined(schema: Mapping[str, Any]) -> float:
    """Of a text with what follows it, or of a list of texts with a blank after each."""
    if schema.get("type") == "array":
        items = cast("Mapping[str, Any]", schema.get("items") or {})
        return schema.get("maxItems", inf) * (items.get("maxLength", inf) + 1)
    return schema.get("maxLength", inf) + len(PARAGRAPH)


def _narrowed(name: str, schema: Limits, limits: Limits, asked: OutputLimits) -> Limits:
    items = asked.items.get(name)
    if not limits and not items:
        return schema
    narrowed = dict(schema)
    fits = merge_limits(narrowed, limits)
    if items:
        narrowed["items"] = dict(narrowed.get("items", {}))
        fits = merge_limits(narrowed["items"], items) and fits
    if not fits:
        able, wanted = _shown(schema), _shown(limits)
        raise Unmappable.at(asked.path_of[name], f"{name} can have {able}, and the contract wants {wanted}.")
    return narrowed


def _delivered(asked: OutputLimits | None) -> list[str]:
    if asked is None:
        return []
    return [*asked.fields, *(name for joined in asked.joined.values() for name in joined)]


def _shown(limits: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {limits[key]}" for key in _SHOWN if key in limits)
