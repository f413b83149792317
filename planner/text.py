"""Reading what callers write: one clean line out of any value."""

from __future__ import annotations

import re
from typing import Any, cast

MAX_PHRASE_CHARS = 300

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+")


def phrase(value: Any) -> str | None:
    """One line of at most `MAX_PHRASE_CHARS` characters; None where the value says nothing.

    A list of texts becomes `a, b and c`; numbers are written out; objects and booleans say nothing.
    """
    if isinstance(value, str):
        line = " ".join(_INVISIBLE.sub(" ", value[: 8 * MAX_PHRASE_CHARS]).split())
        return clip(line, MAX_PHRASE_CHARS) or None
    if isinstance(value, list):
        parts = [part for each in cast(list[Any], value)[:20] if (part := phrase(each))]
        return clip(_listed(parts), MAX_PHRASE_CHARS) or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def clip(text: str, limit: int) -> str:
    """`text` cut at a word, with an ellipsis, so that it has at most `limit` characters."""
    if len(text) <= limit:
        return text
    cut = text[: max(limit - 1, 0)]
    head, _, _ = cut.rpartition(" ")
    return (head if len(head) * 2 > len(cut) else cut).rstrip(" ,;:.") + "…"


def _listed(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def as_object(value: Any) -> dict[str, Any]:
    """The value where it is an object, an empty one otherwise."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value where it is an array, an empty one otherwise."""
    return cast("list[Any]", value) if isinstance(value, list) else []
