"""The keywords around an error that Ajv reports as well, after the errors inside them: `if` and `propertyNames`.

jsonschema-rs reports only what is inside. Its evaluation path says where that stands, references included.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from jsonschema_rs import ValidationError

from contracts.ajv.words import schema_path
from contracts.grammar.subschemas import REFERENCES, SCHEMA_LISTS, SCHEMA_MAPS
from contracts.problems import AjvError
from schemas import pointer
from schemas.json_text import Path

_ONE_DEEPER = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "items",
        "patternProperties",
        "prefixItems",
        "properties",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords whose schemas judge a member or an item of the value."""


@dataclass(frozen=True, slots=True)
class Enclosing:
    """One keyword around an error: where it stands, what it judges, and the branch or the name that failed."""

    instance: Path
    schema: Path
    keyword: str
    subject: str

    def error(self) -> AjvError:
        """What Ajv says of it once everything inside has been said."""
        if self.keyword == "if":
            message, params = f'must match "{self.subject}" schema', {"failingKeyword": self.subject}
        else:
            message, params = "property name must be valid", {"propertyName": self.subject}
        return {
            "instancePath": pointer.build(self.instance),
            "keyword": self.keyword,
            "message": message,
            "params": params,
            "schemaPath": schema_path(self.schema),
        }


def enclosing(error: ValidationError, schema: Any, name: str | None) -> list[Enclosing]:
    """The keywords around `error`, outermost first; `name` is the property name that it is about, if it is."""
    return list(_walk(error.evaluation_path, error.instance_path, schema, name))


def _walk(
    steps: list[str | int], instance: list[str | int], schema: Any, name: str | None
) -> Iterator[Enclosing]:
    place: Path = ()
    depth = 0
    remaining = iter(range(len(steps)))
    for index in remaining:
        step = str(steps[index])
        following = steps[index + 1] if index + 1 < len(steps) else None
        if step in {"then", "else"}:
            yield Enclosing(tuple(instance[:depth]), (*place, "if"), "if", step)
        elif step == "propertyNames" and name is not None:
            yield Enclosing(tuple(instance[:depth]), (*place, step), step, name)
        elif step in REFERENCES:
            target = _target(schema, place, step)
            if target is None:
                return  # an anchor: the rest is said without its `if`
            place = target
            continue
        place = (*place, step)
        depth += step in _ONE_DEEPER
        if following is not None and (
            step in SCHEMA_MAPS or (step in SCHEMA_LISTS and isinstance(following, int))
        ):
            place = (*place, following)
            next(remaining)


def _target(schema: Any, place: Path, keyword: str) -> Path | None:
    try:
        for step in (*place, keyword):
            schema = schema[step]
    except (LookupError, TypeError):
        return None
    fragment = str(schema).partition("#")[2]
    if fragment and not fragment.startswith("/"):
        return None
    return tuple(pointer.split(unquote(fragment)))
