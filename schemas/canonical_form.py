"""The canonical form of a JSON value (RFC 8785), by which events are hashed.

orjson with sorted keys writes that form by itself, but for three things: some floats (`1.0`, `1e16`), keys beyond the
Basic Multilingual Plane, whose order differs in UTF-16, and values that are no JSON. Its text is searched for the first
two; where they occur the value is written again with its keys sorted and those floats replaced. Tests hold the result
against the library `rfc8785`. One thing goes beyond the RFC: an integer of more than 53 bits keeps all its digits,
where the RFC has no form for it.
"""

from __future__ import annotations

import re
from typing import Any, cast

import orjson
import rfc8785

_WHOLE_FLOAT = re.compile(rb"\.0(?:[],}]|$)")
_EXPONENT = re.compile(rb"e[-+]?\d+(?:[],}]|$)")
"""Floats that orjson may write in another form, or a text that looks like one: then the slow way gives the same.
Both begin with what is rare, since every event is searched: together they take 1.7 µs for 500 bytes."""

_SAME_AS_INTEGER = 2**53
"""Below it, a float without a fraction is written as the integer."""

_ASTRAL_KEY = re.compile(rb'[\xf0-\xf4][^"\\\xf0-\xf4]*(?:\\.[^"\\\xf0-\xf4]*)*":')
"""The last character beyond the Basic Multilingual Plane of a key, up to the key's end."""


def canonical_form(value: Any) -> bytes:
    """`value` in canonical form. What is no number in JSON (NaN, infinity) is null, as it is stored.

    Raises TypeError for a value that cannot be stored as JSON.
    """
    return canonical_text(sorted_text(value))


def sorted_text(value: Any) -> bytes:
    """`value` as JSON with sorted keys: mostly the canonical form. A time in UTC ends with Z. Raises TypeError."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)


def canonical_text(text: bytes) -> bytes:
    """The canonical form of what `sorted_text` made. A megabyte may take 0.2 s, so give a large one to a thread."""
    return orjson.dumps(_ordered(orjson.loads(text))) if _may_differ(text) else text


def _may_differ(text: bytes) -> bool:
    return (
        _WHOLE_FLOAT.search(text) is not None
        or _EXPONENT.search(text) is not None
        or (not text.isascii() and _ASTRAL_KEY.search(text) is not None)
    )


def _ordered(value: Any) -> Any:
    """`value` with its keys in their order, and its floats in their form."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        order = members if all(map(str.isascii, members)) else sorted(members, key=_utf16)
        return {key: _ordered(members[key]) for key in order}
    if isinstance(value, list):
        return [_ordered(item) for item in cast("list[Any]", value)]
    if isinstance(value, float):
        if value.is_integer() and abs(value) < _SAME_AS_INTEGER:
            return int(value)
        return orjson.Fragment(rfc8785.dumps(value))
    return value


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")
