"""Hashtags out of names: `#` and letters or digits only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from string import ascii_uppercase

from executor.capability import CapabilityError
from executor.stubs.limits import MAX_CHARS
from executor.stubs.reading import object_at
from runs.event import JsonObject

MAX_TAG_CHARS = 40
MAX_TAGS = 1_000
_ANYBODYS = ("#LinkedIn", "#News", "#People", "#Work", "#Ideas", "#Learning", "#Teamwork", "#Future")
_SMALL_WORDS = frozenset(
    ["a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "our", "the", "to", "who", "with"]
)


def make_hashtags(*names: str) -> list[str]:
    """One tag for each name that has letters in it: `platform engineers` → `#PlatformEngineers`."""
    tags = [tag for name in names if (tag := _tag(name))]
    return list(dict.fromkeys(tags)) or [_ANYBODYS[0]]


def _tag(name: str) -> str:
    words = [
        "".join(filter(str.isalnum, word)) for word in name.split() if word.casefold() not in _SMALL_WORDS
    ]
    joined = "".join(word[:1].upper() + word[1:] for word in words[:4])
    return f"#{joined[: MAX_TAG_CHARS - 1]}" if joined else ""


def fit_hashtags(tags: list[str], schema: JsonObject) -> list[str]:
    """As many tags as the schema wants, none longer than its items may be. Raises CapabilityError."""
    least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", len(_ANYBODYS) + 92))
    items = object_at(schema, "items")
    shortest, longest = int(items.get("minLength", 0)), int(items.get("maxLength", MAX_TAG_CHARS))
    if least > min(most, MAX_TAGS) or longest < max(2, shortest) or shortest > MAX_CHARS:
        message = f"no hashtags fit {least} to {most} items of {shortest} to {longest} characters"
        raise CapabilityError("limits_impossible", message, retryable=False)
    wanted = max(least, min(len(tags), most))
    fitted: dict[str, None] = {}
    for tag in chain(tags, _ANYBODYS, _numbered(longest, wanted)):
        if len(fitted) >= wanted:
            return list(fitted)
        long_enough = tag + "0" * (shortest - len(tag))
        fitted.setdefault(long_enough[:longest])
    if len(fitted) < wanted:
        message = f"there are no {wanted} different hashtags of {shortest} to {longest} characters"
        raise CapabilityError("limits_impossible", message, retryable=False)
    return list(fitted)


def _numbered(longest: int, wanted: int) -> Iterator[str]:
    """`#Post1`, `#Post2`, … as far as they fit; where digits do not suffice, letters go on from there."""
    prefix = "Post"[: max(longest - 4, 0)]
    room = longest - 1 - len(prefix)
    for length in range(1, min(room, len(str(wanted)) + 1) + 1):
        yield from (f"#{prefix}{number}" for number in range(10 ** (length - 1), 10**length))
    yield from (f"#{letter}" for letter in ascii_uppercase)
