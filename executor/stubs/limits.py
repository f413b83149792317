"""Keeping to a node's contract: lengths, numbers of words and of items.

A text that is too long is cut at a word; one that is too short is continued with further sentences. Where no
text can keep all the limits, CapabilityError `limits_impossible` says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from math import ceil, floor
from typing import Any, cast

from executor.capability import CapabilityError
from executor.stubs.reading import clip
from runs.event import JsonObject
from runs.expression import word_count

MAX_CHARS = 100_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many characters and words a text may have."""

    least: int = 0
    most: int = MAX_CHARS
    least_words: int = 0
    most_words: int = MAX_CHARS

    def and_words(self, limits: JsonObject) -> Bounds:
        """Narrowed by `{minimum, maximum}` words."""
        least, most = _range(limits, "minimum", "maximum")
        return Bounds(self.least, self.most, max(self.least_words, least), min(self.most_words, most))

    def and_characters(self, limits: JsonObject, low: str = "minimum", high: str = "maximum") -> Bounds:
        """Narrowed by numbers of characters."""
        least, most = _range(limits, low, high)
        return Bounds(max(self.least, least), min(self.most, most), self.least_words, self.most_words)

    def keeps(self, text: str) -> bool:
        """Whether `text` is within these bounds."""
        return (
            self.least <= len(text) <= self.most and self.least_words <= word_count(text) <= self.most_words
        )

    def check(self, name: str) -> None:
        """Raises CapabilityError where nothing at all can be within."""
        # A word takes a character and a blank; without a word there can be no character.
        if (
            self.least > self.most
            or self.least_words > self.most_words
            or max(0, 2 * self.least_words - 1) > self.most
            or self.most < 1
            or self.most_words < 1
        ):
            raise impossible(name, self)


def impossible(name: str, bounds: Bounds) -> CapabilityError:
    """The failure that says what cannot be kept."""
    asked = (
        f"{bounds.least} to {bounds.most} characters and {bounds.least_words} to {bounds.most_words} words"
    )
    return CapabilityError("limits_impossible", f"no text for {name} has {asked}", retryable=False)


def _range(limits: JsonObject, low: str, high: str) -> tuple[int, int]:
    least, most = limits.get(low), limits.get(high)
    return (
        ceil(least) if isinstance(least, int | float) else 0,
        floor(min(most, MAX_CHARS)) if isinstance(most, int | float) else MAX_CHARS,
    )


def bounds_of(schema: Any) -> Bounds:
    """The lengths that a property's schema asks for."""
    if not isinstance(schema, dict):
        return Bounds()
    return Bounds().and_characters(cast(JsonObject, schema), "minLength", "maxLength")


def fit(name: str, text: str, bounds: Bounds, more: Sequence[str]) -> str:
    """`text` within `bounds`, continued with `more` as often as it takes. Raises CapabilityError."""
    bounds.check(name)
    if bounds.keeps(text):
        return text
    if len(text) < bounds.least or word_count(text) < bounds.least_words:
        text = _continued(text, bounds, more)
    fitted = _cut(text, bounds)
    if not bounds.keeps(fitted):
        fitted = _word_by_word(text, bounds)
    if not bounds.keeps(fitted):
        raise impossible(name, bounds)
    return fitted


def _continued(text: str, bounds: Bounds, more: Sequence[str]) -> str:
    parts = [text] if text else []
    length, words = len(text), word_count(text)
    for further in cycle(more):
        if length >= bounds.least and words >= bounds.least_words:
            break
        parts.append(further)
        length += len(further) + 1
        words += word_count(further)
    return " ".join(parts)


def _cut(text: str, bounds: Bounds) -> str:
    """Cut at a word, with an ellipsis."""
    if word_count(text) > bounds.most_words:
        text = " ".join(text.split()[: bounds.most_words]).rstrip(" ,;:.") + "…"
    return clip(text, bounds.most)


def _word_by_word(text: str, bounds: Bounds) -> str:
    """For bounds so tight that a sentence does not fit: short words for many, one long word for few."""
    if bounds.least_words and len(" ".join(text.split()[: bounds.least_words])) > bounds.most:
        count = bounds.least_words
        size = (bounds.most - (count - 1)) // count
        return " ".join(word[:size] for word in islice(cycle(text.split()), count))
    cut = text[: bounds.most]
    words = cut.split()
    if len(words) > bounds.most_words:
        kept = words[: bounds.most_words]
        cut = " ".join([*kept[:-1], "-".join(words[bounds.most_words - 1 :])])
    if cut != cut.rstrip():
        cut = cut.rstrip() + "…"
    return cut if len(cut) >= bounds.least else cut + "…" * (bounds.least - len(cut))
