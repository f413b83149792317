"""What a model is asked: the messages, and the shape in which it is to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

from runs.event import JsonObject

Mode = Literal["schema", "json", "text"]
"""How an endpoint is asked for JSON: by a JSON Schema, as any JSON object, in words only."""

MODES: tuple[Mode, ...] = ("schema", "json", "text")

_MAX_ERRORS = 50
_MAX_SCHEMAS = 2_000
_STRICT_KEYWORDS = frozenset(
    (
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "description",
    )
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The schema that the answer is to satisfy; None where any text will do.

    `checked` says that the engine checks the answer against it, and repairs.
    """

    schema: JsonObject | None
    checked: bool

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The ways to ask for it, the best first: only an object can be asked for by schema or as JSON."""
        if self.schema is None or not ("properties" in self.schema or self.schema.get("type") == "object"):
            return ("text",)
        return MODES


def messages(prompt: str, system: str | None, wanted: Wanted, mode: Mode, errors: list[Any]) -> list[Any]:
    """The messages: the system text, and the prompt with the last attempt's errors and how to answer."""
    parts = [prompt]
    if errors:
        parts.append(_correction(errors))
    if wanted.schema is not None and mode != "schema":
        schema = orjson.dumps(wanted.schema).decode()
        parts.append(
            "Answer with one JSON value and nothing else: no explanation, no code fence. It must satisfy this"
            f" JSON Schema:\n{schema}"
        )
    asked = [{"role": "user", "content": "\n\n".join(parts)}]
    return asked if system is None else [{"role": "system", "content": system}, *asked]


def response_format(wanted: Wanted, mode: Mode) -> JsonObject | None:
    """The `response_format` of a request; None for plain text."""
    if wanted.schema is None or mode == "text":
        return None
    if mode == "json":
        return {"type": "json_object"}
    schema = {"name": "output", "schema": wanted.schema, "strict": allows_strict(wanted.schema)}
    return {"type": "json_schema", "json_schema": schema}


def allows_strict(schema: JsonObject) -> bool:
    """Whether the schema keeps to what strict structured output takes: closed objects with all members required."""
    waiting: list[Any] = [schema]
    for _ in range(_MAX_SCHEMAS):
        if not waiting:
            return True
        each = waiting.pop()
        if not isinstance(each, dict) or not _is_strict(cast("JsonObject", each)):
            return False
        members = cast("JsonObject", each)
        waiting += list(members.get("properties", {}).values())
        waiting += members.get("anyOf", [])
        if "items" in members:
            waiting.append(members["items"])
    return False


def _is_strict(schema: JsonObject) -> bool:
    if not schema.keys() <= _STRICT_KEYWORDS:
        return False
    properties, options = schema.get("properties", {}), schema.get("anyOf", [])
    if not isinstance(properties, dict) or not isinstance(options, list):
        return False
    if schema.get("type") != "object":
        return not properties
    names = cast("dict[str, Any]", properties).keys()
    return schema.get("additionalProperties") is False and set(schema.get("required", [])) == set(names)


def _correction(errors: list[Any]) -> str:
    lines = [_line(error) for error in errors[:_MAX_ERRORS]]
    return "Your last answer broke the contract. Correct these errors:\n" + "\n".join(lines)


def _line(error: Any) -> str:
    if not isinstance(error, dict):
        return f"- {error}"
    members = cast("JsonObject", error)
    return f"- {members.get('instancePath') or 'the whole answer'}: {members.get('message')}"
