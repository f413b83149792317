"""One thing that can be delivered, and what delivering it asks of the node that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any, cast

from planner.mapping.limits import Limits
from runs.expression import Expression, literal

UNKNOWN: Any = object()
"""The value of a source that only the run will show."""

PARAGRAPH = "\n\n"
"""What stands between texts that are joined."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What the caller's contract asks of a field that a node makes.

    `aspect` is value, words or characters; `items` are the limits of each item of a list. `joined` lists the fields of
    the node's output that make up a text which is not a field itself.
    """

    node_id: str
    field: str
    aspect: str
    limits: Limits
    path: str
    items: Limits = made_by(default_factory=dict[str, Any])
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """The texts that one text is made of; `overhead` is the number of characters between and around them.

    A message calls each of them a `noun`.
    """

    texts: tuple[Source, ...]
    overhead: int
    noun: str


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that can be delivered.

    `value` is there for what the envelope says. `node_id` and `field` say which node makes it, and where in its output;
    a text that is `joined` is made of these fields of that output. A text of several nodes has `parts`. `facet` is the
    schema of a source that is more than a text or a number. `content` says that it is part of what was asked for, as
    opposed to what is said about it.
    """

    json_type: str
    expression: Expression
    value: Any = UNKNOWN
    node_id: str | None = None
    field: str | None = None
    aspect: str = "value"
    facet: Mapping[str, Any] | None = None
    joined: tuple[str, ...] = ()
    parts: Parts | None = None
    content: bool = False

    @property
    def known(self) -> bool:
        """Whether the value is known when the plan is made."""
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
