"""Envelopes that made an engine compute without end, or nearly: each is small, and each passed the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.linkedin import POST, array_of, envelope, object_of, with_inputs

Envelope = dict[str, Any]

FALSE: list[Any] = [False]


def with_hashtags(**hashtags: Any) -> Envelope:
    """The contract of the LinkedIn example, with this schema for each variant's hashtags."""
    properties = {**POST["properties"], "hashtags": {"type": "array", **hashtags}}
    post = {"type": "object", "required": list(properties), "properties": properties}
    return envelope(object_of({"variants": array_of(post)}, closed=False))


def two_long_enums() -> Envelope:
    """Two enums of 5,000 values that must both be met, checked for each of 2,000 alternatives."""
    one, other = ({"enum": [f"{letter}{number}" for number in range(5_000)]} for letter in "ab")
    theme = {
        "allOf": [one, other],
        "oneOf": FALSE * 2_000,
    }
    return with_inputs(object_of({"theme": theme, "body": {"type": "string"}}), variantCount=1)


def long_theme() -> Envelope:
    """A long input that is compared with each of 5,000 texts."""
    schema = object_of(
        {"theme": {"enum": [f"text {number}" for number in range(5_000)]}, "body": {"type": "string"}}
    )
    return with_inputs(schema, variantCount=1, theme="ß" * 700_000)


def many_properties() -> Envelope:
    """1,000 properties, checked for each of 3,900 alternatives."""
    schema = {
        "type": "object",
        "properties": {f"p{number}": True for number in range(1_000)},
        "oneOf": FALSE * 3_900,
    }
    return with_inputs(schema, variantCount=1)


def many_members() -> Envelope:
    """An input of 1,500 members in which 900 properties are looked up."""
    wanted = {f"property{number}": {"type": "string"} for number in range(900)}
    schema = object_of(
        {"body": {"type": "string"}, "theme": {"type": "object", "properties": wanted}}, closed=False
    )
    return with_inputs(schema, variantCount=1, theme={f"Member {number}": "x" for number in range(1_500)})


def welcome_items() -> Envelope:
    """A list of 40,000 texts, each looked up among 5,000."""
    items = {"enum": [f"x{number}" for number in range(5_000)]}
    schema = object_of({"body": {"type": "string"}, "theme": array_of(items)})
    return with_inputs(schema, variantCount=1, theme=[f"x{number % 4_999}" for number in range(40_000)])


def repeated_input() -> Envelope:
    """One long input that a contract asks for 900 times."""
    wanted = {f"p{number}": object_of({"theme": {"type": "string"}}) for number in range(900)}
    schema = object_of({"body": {"type": "string"}, **wanted})
    return with_inputs(schema, variantCount=1, theme="x" * 1_000_000)


def many_instructions() -> Envelope:
    """So many instructions, each for the same variant, that copying them would never end."""
    return envelope(specialInstructions=["Variant A"] * 150_000)


REFUSED: dict[str, tuple[Callable[[], Envelope], str]] = {
    "minLength of 300,000,000 for each hashtag": (
        lambda: with_hashtags(
            minItems=1, items={"type": "string", "minLength": 300_000_000, "maxLength": 300_000_000}
        ),
        "contract_unsatisfiable",
    ),
    "the same through allOf and $ref": (
        lambda: (
            with_hashtags(items={"allOf": [{"type": "string"}, {"$ref": "#/$defs/long"}]})
            | {
                "outputContract": {
                    "mode": "json_schema",
                    "schema": {
                        **object_of({"body": {"allOf": [{"type": "string"}, {"$ref": "#/$defs/long"}]}}),
                        "$defs": {"long": {"minLength": 300_000_000}},
                    },
                }
            }
        ),
        "contract_unsatisfiable",
    ),
    "a whole post of 300,000,000 characters": (
        lambda: with_inputs({"type": "string", "minLength": 300_000_000}, variantCount=1),
        "contract_unsatisfiable",
    ),
    "minItems of 300,000,000": (lambda: with_hashtags(minItems=300_000_000), "contract_unsatisfiable"),
    "two long enums": (two_long_enums, "contract_too_complex"),
    "a long theme": (long_theme, "contract_unsatisfiable"),
    "many properties": (many_properties, "contract_too_complex"),
    "one input many times": (repeated_input, "contract_too_complex"),
}
"""What must be refused, with the code of the refusal."""

PLANNED: dict[str, Callable[[], Envelope]] = {
    "20 hashtags of 2 characters": lambda: with_hashtags(
        minItems=20, items={"type": "string", "maxLength": 2}
    ),
    "many members": many_members,
    "items of a long list": welcome_items,
}
"""What can be planned, and ends."""
