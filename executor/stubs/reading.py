"""Reading a ContextBundle without trusting it: one clean line, or nothing."""

from __future__ import annotations

import re
from typing import Any, cast

from runs.event import JsonObject

MAX_LINE_CHARS = 300

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def line(value: Any, limit: int = MAX_LINE_CHARS) -> str:
    """A text as one line of at most `limit` characters; '' for anything else."""
    if not isinstance(value, str):
        return ""
    return clip(" ".join(_INVISIBLE.sub(" ", value[: 8 * limit]).split()), limit)


def clip(text: str, limit: int) -> str:
    """`text` cut at a word, with an ellipsis, to at most `limit` characters."""
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    cut = text[: limit - 1]
    head = cut if text[limit - 1].isspace() else cut.rpartition(" ")[0]
    return (head if len(head) * 2 > len(cut) else cut).rstrip(" \n,;:.") + "…"


def object_at(bundle: JsonObject, *keys: str) -> JsonObject:
    """The object at these keys; an empty one where there is none."""
    value: Any = bundle
    for key in keys:
        value = cast(JsonObject, value).get(key) if isinstance(value, dict) else None
    return cast(JsonObject, value) if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The value where it is an array; an empty one otherwise."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def lines_of(value: Any) -> list[str]:
    """The texts of an array, each as a clean line; what is empty is left out."""
    return [text for each in list_of(value) if (text := line(each))]


def spoken(name: str) -> str:
    """`attract_new_employees` and `attractNewEmployees` as a person would say them."""
    words = _CAMEL.sub(" ", name).replace("_", " ").replace("-", " ").split()
    return " ".join(word.lower() if word.istitle() and len(words) > 1 else word for word in words)


def capitalised(text: str) -> str:
    """The first letter as a capital, the rest as it is."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """`text` with a capital and a full stop, unless it ends in one already."""
    return capitalised(text) + ("" if text.endswith((".", "!", "?", "…")) else ".")
