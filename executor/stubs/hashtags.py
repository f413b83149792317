"""Hashtags out of names: `#` and letters or digits only."""

from __future__ import annotations

from itertools import chain, count

from executor.capability import CapabilityError
from executor.stubs.reading import object_at
from runs.event import JsonObject

MAX_TAG_CHARS = 40
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
    if least > most or longest < max(2, shortest):
        message = f"no hashtags fit {least} to {most} items of {shortest} to {longest} characters"
        raise CapabilityError("limits_impossible", message, retryable=False)
    numbered = (f"#{'Post'[: max(longest - 4, 0)]}{number}" for number in count(1))
    fitted: dict[str, None] = {}
    for tag in chain(tags, _ANYBODYS, numbered):
        if len(fitted) >= max(least, min(len(tags), most)):
            break
        long_enough = tag + "0" * (shortest - len(tag))
        fitted.setdefault(long_enough[:longest])
    return list(fitted)
