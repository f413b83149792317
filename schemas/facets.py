"""The facet catalogue: named pieces of meaning, each with the JSON Schema that says what it looks like.

Capabilities say which facets they take and give; a caller may ask for facets by name in place of a schema.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet; `schema` is a JSON Schema of draft 2020-12 and must not be changed.

    Of a facet with `many` a contract takes one or a list: a run may make several variants.
    """

    name: str
    description: str
    schema: dict[str, Any]
    many: bool = False


def _text(max_length: int, min_length: int = 1) -> dict[str, Any]:
    return {"type": "string", "minLength": min_length, "maxLength": max_length}


def _list_of(items: dict[str, Any], max_items: int = 20) -> dict[str, Any]:
    return {"type": "array", "maxItems": max_items, "items": items}


def _facet(
    name: str, description: str, required: list[str], properties: dict[str, Any], *, many: bool = False
) -> Facet:
    schema = {
        "$schema": DIALECT,
        "title": name,
        "description": description,
        "type": "object",
        "required": required,
        "properties": properties,
    }
    return Facet(name, description, schema, many)


_CATALOGUE = (
    _facet(
        "company_profile",
        "Who the post speaks for.",
        ["companyName"],
        {
            "companyName": _text(200),
            "coreValue": _text(500),
            "recentEvent": _text(500),
            "industry": _text(200),
        },
    ),
    _facet(
        "toneOfVoice",
        "How the writer sounds.",
        ["voice"],
        {"voice": _text(100), "traits": _list_of(_text(100)), "avoid": _list_of(_text(200))},
    ),
    _facet(
        "creative_brief",
        "What is to be written, for whom and why; the ground for every variant.",
        ["channel", "audience", "goal", "keyMessages"],
        {
            "channel": _text(100),
            "audience": _text(500),
            "goal": _text(500),
            "keyMessages": {**_list_of(_text(1_000)), "minItems": 1},
            "angles": _list_of(_text(1_000)),
            "toneOfVoice": _text(100),
        },
    ),
    _facet(
        "post_copy",
        "One post, ready to be read by its audience.",
        ["headline", "body", "callToAction"],
        {
            "variantId": _text(100),
            "headline": _text(200),
            "body": _text(5_000),
            "callToAction": _text(300),
            "hashtags": _list_of({"type": "string", "pattern": "^#[^\\s#]{1,99}$", "maxLength": 100}),
        },
        many=True,
    ),
    _facet(
        "review",
        "What a reviewer found in the variants, and whether they may go out.",
        ["approved", "findings"],
        {
            "approved": {"type": "boolean"},
            "summary": _text(2_000),
            "findings": _list_of(
                {
                    "type": "object",
                    "required": ["severity", "message"],
                    "properties": {
                        "severity": {"enum": ["info", "warning", "error"]},
                        "message": _text(2_000),
                        "variantId": _text(100),
                    },
                },
                max_items=200,
            ),
        },
    ),
)

FACETS: Mapping[str, Facet] = MappingProxyType({facet.name: facet for facet in _CATALOGUE})


def facets_schema(names: Iterable[str]) -> dict[str, Any]:
    """The schema of an object that has exactly these facets as its keys.

    A facet that is not in the catalogue may be anything: whether some capability can give it is the planner's to say.
    """
    wanted = list(names)
    return {
        "$schema": DIALECT,
        "type": "object",
        "required": wanted,
        "additionalProperties": False,
        "properties": {name: _delivered(name) for name in wanted},
    }


def _delivered(name: str) -> dict[str, Any] | bool:
    facet = FACETS.get(name)
    if facet is None:
        return True
    one = _embedded(facet.schema)
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]} if facet.many else one


def _embedded(schema: dict[str, Any]) -> dict[str, Any]:
    """A dialect is declared once, at the root."""
    return {key: value for key, value in schema.items() if key != "$schema"}
