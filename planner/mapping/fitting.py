"""Whether a source fits a place, and what the place then asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from planner.mapping.flat import Flat
from planner.mapping.limits import LENGTHS, Limits, keeps, whole_bounds
from planner.mapping.problems import Mapped, Unmappable
from planner.mapping.sources import Demand, Parts, Source, known_source
from planner.mapping.values import frozen, frozen_set
from runs.expression import is_reference, literal

_WORDS_FOR_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_MAX_SHOWN_CHARS = 60


def only_value(flat: Flat) -> Mapped | None:
    """The one value that a `const` (or an `enum` of one) leaves. Raises Unmappable where it is forbidden too."""
    if not flat.consts and (flat.enum is None or len(flat.enum) != 1):
        return None
    value = flat.consts[0] if flat.consts else (flat.enum or [None])[0]
    others = [*flat.consts[1:], *([] if flat.enum is None or value in flat.enum else flat.enum)]
    fits = flat.takes(known_source(value).json_type) and keeps(value, flat.limits)
    if not fits or any(other != value for other in others):
        raise Unmappable.at(
            flat.path, f"The contract asks for {str(value)[:_MAX_SHOWN_CHARS]!r} and forbids it at once."
        )
    return Mapped(literal(value))


def fallback_value(flat: Flat) -> Mapped | None:
    """What the contract itself offers where nothing else fits: its default, or null."""
    if flat.defaults:
        return Mapped(literal(flat.defaults[0]))
    if flat.types is not None and "null" in flat.types:
        return Mapped(None)
    return None


def fit_source(flat: Flat, source: Source, name: str, items: Limits | None = None) -> Mapped:
    """The place filled from `source`; `items` are the limits of each item where it is a list.

    Raises Unmappable where type, values or limits do not let it.
    """
    if not flat.takes(source.json_type):
        wanted = " or ".join(sorted(_WORDS_FOR_TYPES.get(each, each) for each in flat.types or ()))
        has = _WORDS_FOR_TYPES[source.json_type]
        raise Unmappable.at(flat.path, f"The contract wants {wanted} for {name!r}; there is {has}.")
    if flat.enum is not None:
        return _from_enum(flat, source, name)
    if source.known and not keeps(source.value, flat.limits):
        shown = str(source.value)[:_MAX_SHOWN_CHARS]
        raise Unmappable.at(flat.path, f"{name!r} is {shown!r}, which is outside the limits of the contract.")
    if not source.known and "format" in flat.limits and source.json_type == "string":
        wanted_format = flat.limits["format"]
        raise Unmappable.at(flat.path, f"Nothing for {name!r} has the format {wanted_format!r}.")
    plain = source.field == name and is_reference(source.expression)
    content = frozenset({source.field} if source.content and source.field else ())
    return Mapped(source.expression, tuple(_demands(flat, source, items or {})), plain, content)


def _from_enum(flat: Flat, source: Source, name: str) -> Mapped:
    """The allowed value that the material has, in the caller's spelling."""
    values = flat.enum or []
    if source.known:
        wanted = frozen(source.value)
        same = next((value for value in values if frozen(value) == wanted), None)
        if same is None and isinstance(source.value, str):
            word = source.value.casefold()
            same = next((each for each in values if isinstance(each, str) and each.casefold() == word), None)
        if same is not None or (source.value is None and None in values):
            return Mapped(literal(same))
    shown = ", ".join(repr(value) for value in values[:6])[: 4 * _MAX_SHOWN_CHARS]
    raise Unmappable.at(flat.path, f"What there is for {name!r} is not one of the allowed values ({shown}).")


def _demands(flat: Flat, source: Source, items: Limits) -> Iterable[Demand]:
    """What the nodes behind `source` are asked for, so that it fits."""
    if source.parts is not None:
        share = _shared(flat.limits, source.parts, flat.path)
        for part in source.parts.texts:
            yield Demand(part.node_id or "", part.field or "", "value", share, flat.path, joined=part.joined)
    elif source.node_id is not None and source.field is not None:
        asked = _asked(flat, source)
        yield Demand(source.node_id, source.field, source.aspect, asked, flat.path, items, source.joined)


def _asked(flat: Flat, source: Source) -> Limits:
    if source.aspect != "value":
        low, high = whole_bounds(flat.limits)
        return {key: bound for key, bound in (("minimum", low), ("maximum", high)) if bound is not None}
    if source.json_type == "string":
        return {key: flat.limits[key] for key in LENGTHS if key in flat.limits}
    if source.json_type == "array":
        return {key: flat.limits[key] for key in ("minItems", "maxItems") if key in flat.limits}
    return {}


def _shared(limits: Limits, parts: Parts, path: str) -> Limits:
    """Lengths of a text that is made of several, divided among them."""
    number, overhead = len(parts.texts), parts.overhead
    shares: Limits = {}
    if "minLength" in limits:
        shares["minLength"] = max(0, -int(-(limits["minLength"] - overhead) // number))
    if "maxLength" in limits:
        shares["maxLength"] = int((limits["maxLength"] - overhead) // number)
        if shares["maxLength"] < 1:
            raise Unmappable.at(
                path, f"There is no room for {number} {parts.noun}s in {limits['maxLength']} characters."
            )
    return shares


def fit_items(flat: Flat, source: Source, items: Flat) -> Limits:
    """What the contract asks of each item of the list that `source` is. Raises Unmappable where they do not fit."""
    facet: Mapping[str, Any] = (source.facet or {}).get("items", {})
    wanted = items.types
    if source.known:
        fits = _are_welcome(cast("list[Any]", source.value), items)
    elif facet.get("type") == "string":
        fits = items.takes("string") and _is_free(items) and "format" not in items.limits
    else:
        fits = items.takes("object") and _is_free(items) and fits_whole_facet(items, facet)
    if not fits or items.impossible:
        shown = " or ".join(sorted(wanted)) if wanted else "others"
        raise Unmappable.at(flat.path, f"The items that there are do not fit; the contract wants {shown}.")
    return {key: items.limits[key] for key in LENGTHS if key in items.limits}


def _is_free(flat: Flat) -> bool:
    return flat.enum is None and not flat.consts


def _are_welcome(values: list[Any], flat: Flat) -> bool:
    allowed = frozen_set([*flat.consts, *(flat.enum or ())])
    if not _is_free(flat) and not all(frozen(value) in allowed for value in values):
        return False
    return all(flat.takes(known_source(value).json_type) and keeps(value, flat.limits) for value in values)


def fits_whole_facet(flat: Flat, facet: Mapping[str, Any]) -> bool:
    """Whether everything that the facet may hold is welcome here, so that it can be handed over as it is."""
    if flat.says_nothing_of_members:
        return True
    declared = {name: [schema for schema, _ in located] for name, located in flat.properties.items()}
    members = cast("Mapping[str, Any]", facet.get("properties") or {})
    same = declared == {name: [schema] for name, schema in members.items()}
    return (
        same
        and not flat.closed_to
        and set(flat.required) <= set(cast("list[str]", facet.get("required") or []))
    )
