"""Comparing the names that callers give: without case, underscores, hyphens and blanks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

_MAX_CACHED_CHARS = 60


def canonical(name: str) -> str:
    """The form in which names are compared: `total_price`, `total-price` and `totalPrice` are one name."""
    return _cached(name) if len(name) <= _MAX_CACHED_CHARS else _plain(name)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


_cached = lru_cache(maxsize=4096)(_plain)


def name_index(synonyms: Mapping[str, str]) -> dict[str, str]:
    """From the canonical form of each name to the field that it stands for.

    `synonyms` has the other names of each field, separated by blanks: `{"total": "sum totalPrice"}`.
    """
    return {canonical(name): field for field, names in synonyms.items() for name in (field, *names.split())}


def name_set(names: str) -> frozenset[str]:
    """The canonical forms of names that are separated by blanks."""
    return frozenset(map(canonical, names.split()))


def singular(name: str) -> str:
    """The canonical name of one item of a list: `prices` → `price`, `entries` → `entry`."""
    plain = canonical(name)
    return plain[:-3] + "y" if plain.endswith("ies") else plain.removesuffix("s")
