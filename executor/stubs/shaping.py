"""Fitting an output to its node's contract, field by field, and to the errors of the attempt before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from executor.capability import CapabilityError
from executor.stubs.limits import bounds_of, fit
from executor.stubs.reading import list_of, object_at
from runs.event import Json, JsonObject

_ALIASES = {
    "title": "headline", "heading": "headline", "subject": "headline", "text": "body", "content": "body",
    "copy": "body", "post": "body", "message": "body", "cta": "callToAction", "calltoaction": "callToAction",
    "headline": "headline", "body": "body", "hashtags": "hashtags", "tags": "hashtags",
}  # fmt: skip
MAX_ITEMS = 1_000
_TIGHTENING = {"maxLength": min, "maxItems": min, "minLength": max, "minItems": max}


def contract_properties(context: JsonObject, facet: JsonObject) -> JsonObject:
    """The schemas of the output's properties: the contract's, else the facet's, tightened by `previousErrors`."""
    output = object_at(context, "contract", "output")
    properties: JsonObject = {**object_at(facet, "properties"), **object_at(output, "properties")}
    for error in list_of(context.get("previousErrors")):
        if isinstance(error, dict):
            _tighten(properties, cast(JsonObject, error))
    return properties


def _tighten(properties: JsonObject, error: JsonObject) -> None:
    """An error of the caller's contract names the place in the caller's words; the limit is what counts."""
    keyword, limit = error.get("keyword"), object_at(error, "params").get("limit")
    place = str(error.get("instancePath", "")).rpartition("/")[2]
    name = place if place in properties else _ALIASES.get("".join(filter(str.isalnum, place.casefold())), "")
    if keyword in _TIGHTENING and isinstance(limit, int) and isinstance(properties.get(name), dict):
        schema: JsonObject = properties[name]
        properties[name] = {**schema, keyword: _TIGHTENING[keyword](schema.get(keyword, limit), limit)}


def required_names(context: JsonObject) -> list[str]:
    """The properties that the contract requires."""
    return [
        name
        for name in list_of(object_at(context, "contract", "output").get("required"))
        if isinstance(name, str)
    ]


def fit_properties(output: JsonObject, properties: JsonObject, more: Sequence[str]) -> JsonObject:
    """`output` with its texts and lists of texts within their limits. Raises CapabilityError `limits_impossible`."""
    return {name: _fitted(name, value, properties.get(name), more) for name, value in output.items()}


def _fitted(name: str, value: Json, schema: Any, more: Sequence[str]) -> Json:
    if not isinstance(schema, dict):
        return value
    if isinstance(value, str):
        return fit(name, value, bounds_of(schema), more)
    listed = list_of(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in listed):
        return fit_list(name, listed, cast(JsonObject, schema), more)
    return cast(Json, value)


def fit_list(name: str, texts: list[str], schema: JsonObject, more: Sequence[str]) -> list[str]:
    """A list of texts with as many items as the schema wants, each within the limits of `items`."""
    least, most = (
        schema.get("minItems", 0),
        schema.get("maxItems", max(len(texts), schema.get("minItems", 0))),
    )
    if least > min(most, MAX_ITEMS):
        raise CapabilityError(
            "limits_impossible", f"{name} cannot have {least} to {most} items", retryable=False
        )
    longer = list(texts)
    for number in range(int(least) - len(texts)):
        further = more[number % len(more)] if more else name
        longer.append(further if number < len(more) else f"{further} ({number // max(len(more), 1) + 1})")
    bounds = bounds_of(schema.get("items"))
    return [fit(name, text, bounds, more) for text in longer[: int(most)]]
