"""Turns what pydantic found into field problems: our codes, exact pointers, sentences that help."""

from collections.abc import Mapping
from functools import cache
from re import findall
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas import pointer
from schemas.base import NOT_BLANK, json_type
from schemas.refusal import MAX_PROBLEMS, DocumentRefused, FieldProblem
from schemas.spelling import suggest

TAG_MARK = "\0"
"""Begins the tag of a union's member, which pydantic adds to an error's place; no key begins like that."""

_EXPECTED_TYPE = {
    "string_type": "a string",
    "bool_type": "a boolean (true or false)",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "an array",
    "union_tag_not_found": "an object",
}

# pydantic's error type -> our code and sentence; the names in braces are pydantic's own context.
_SENTENCES = {
    "missing": ("missing", "This is required."),
    "string_too_short": ("too_short", "This needs at least {min_length} character(s)."),
    "string_too_long": ("too_long", "This may have at most {max_length} characters."),
    "too_short": ("too_short", "This needs at least {min_length} item(s)."),
    "too_long": ("too_long", "This may have at most {max_length} items."),
    "greater_than": ("out_of_range", "This must be greater than {gt}."),
    "greater_than_equal": ("out_of_range", "This must be at least {ge}."),
    "less_than": ("out_of_range", "This must be less than {lt}."),
    "less_than_equal": ("out_of_range", "This must be at most {le}."),
    "finite_number": ("out_of_range", "This must be a finite number."),
}


def refusal_from_validation(error: ValidationError, model: type[BaseModel]) -> DocumentRefused:
    """The refusal that says everything `error` found in a document meant to be a `model`."""
    details = error.errors(include_url=False)
    problems = [_field_problem(detail, model) for detail in details[:MAX_PROBLEMS]]
    return DocumentRefused(problems, omitted=len(details) - len(problems))


def _field_problem(detail: ErrorDetails, model: type[BaseModel]) -> FieldProblem:
    path = [part for part in detail["loc"] if not (isinstance(part, str) and part.startswith(TAG_MARK))]
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        code, message = "unknown_key", _unknown_key(detail["loc"], model)
    elif kind == "string_pattern_mismatch":
        code, message = _pattern(context)
    elif kind == "literal_error":
        code, message = "not_allowed", _not_among(str(context["expected"]), detail["input"])
    elif kind in _EXPECTED_TYPE:
        found = json_type(detail["input"])
        code, message = "wrong_type", f"This must be {_EXPECTED_TYPE[kind]}, not {found}."
    elif kind in _SENTENCES:
        code, template = _SENTENCES[kind]
        message = template.format_map(context)
    else:
        code, message = str(context.get("code", kind)), str(context.get("message", detail["msg"]))
    return FieldProblem(code, pointer.build_bounded(path), message)


def _pattern(context: Mapping[str, Any]) -> tuple[str, str]:
    if context["pattern"] == NOT_BLANK:
        return "blank", "This needs some text, not only white space."
    return "bad_format", f"This must match {context['pattern']}."


def _not_among(expected: str, found: object) -> str:
    nearest = suggest(found, findall(r"'([^']*)'", expected)) if isinstance(found, str) else ""
    return f"This must be {expected}{nearest or '.'}"


def _unknown_key(place: tuple[int | str, ...], model: type[BaseModel]) -> str:
    known = _keys_at(place[:-1], _schema(model))
    return f"Unknown key{suggest(str(place[-1]), known) or '.'}"


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _keys_at(place: tuple[int | str, ...], schema: dict[str, Any]) -> list[str]:
    """The keys that the object at `place` of a document may have, by the model's own JSON Schema.

    `place` is pydantic's: it names the member of a union that was chosen.
    """
    places = _forms(schema, schema)
    for part in place:
        if isinstance(part, str) and part.startswith(TAG_MARK):
            places = _tagged(places, part.removeprefix(TAG_MARK))
            continue
        inside = [_below(place, part) for place in places]
        places = [form for each in inside if each is not None for form in _forms(each, schema)]
    return list(dict.fromkeys(key for place in places for key in place.get("properties", {})))


def _forms(place: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema itself, behind its reference, or the members of its union. Our models are not recursive."""
    if "$ref" in place:
        return _forms(schema["$defs"][place["$ref"].rpartition("/")[2]], schema)
    members: list[dict[str, Any]] = [
        *place.get("anyOf", ()),
        *place.get("oneOf", ()),
        *place.get("allOf", ()),
    ]
    return [form for member in members for form in _forms(member, schema)] or [place]


def _tagged(members: list[dict[str, Any]], tag: str) -> list[dict[str, Any]]:
    """The members of a union that have a property which is always `tag`; all of them, where none has."""
    chosen = [
        member
        for member in members
        if any(each.get("const") == tag for each in member.get("properties", {}).values())
    ]
    return chosen or members


def _below(place: dict[str, Any], part: int | str) -> dict[str, Any] | None:
    inside = place.get("items") if isinstance(part, int) else place.get("properties", {}).get(part)
    return cast("dict[str, Any]", inside) if isinstance(inside, dict) else None
