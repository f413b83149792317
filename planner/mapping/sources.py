"""One thing that can be delivered, and what delivering it asks of whoever makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any, cast

from planner.mapping.expression import Expression, literal
from planner.mapping.limits import Limits

UNKNOWN: Any = object()
"""The value of a source that only the run will show."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the caller's contract asks of a field that a node makes.

    `aspect` is value, words or characters; `items` are the limits of each item of a list.
    """

    node_id: str
    field: str
    aspect: str
    limits: Limits
    path: str
    items: Limits = made_by(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that can be delivered.

    `value` is there for what the envelope says. `node_id` and `fields` say which fields a node has to make for it,
    `share` is how many nodes an asked-for length is divided among, beside `overhead` characters of our own. `facet` is
    the schema of what it looks like where that is more than a text or a number.
    """

    json_type: str
    expression: Expression
    value: Any = UNKNOWN
    node_id: str | None = None
    field: str | None = None
    aspect: str = "value"
    facet: Mapping[str, Any] | None = None
    parts: tuple[Source, ...] = ()
    overhead: int = 0

    @property
    def known(self) -> bool:
        return self.value is not UNKNOWN


_JSON_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def known_source(value: Any) -> Source:
    """A value that the envelope says."""
    return Source(_JSON_TYPES.get(type(cast("object", value)), "null"), literal(value), value)


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of the plan: `draft-a` makes variant `a`, called `Variant A`, the first of them."""

    node_id: str
    id: str
    label: str
    position: int
    instructions: tuple[str, ...] = ()
