"""Limits of a value: how schemas that must all hold are merged, and whether a known value keeps them."""

from __future__ import annotations

from typing import Any, cast

Limits = dict[str, Any]
"""A subset of JSON Schema keywords: lengths, numbers of items, bounds, patterns."""

_LARGEST_OF = frozenset({"minLength", "minItems", "minimum", "exclusiveMinimum"})
_SMALLEST_OF = frozenset({"maxLength", "maxItems", "maximum", "exclusiveMaximum"})
_TEXT_RULES = frozenset({"pattern", "format"})
_ALL = _LARGEST_OF | _SMALLEST_OF | _TEXT_RULES
_BOUNDS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minimum", "maximum"))

LENGTHS = ("minLength", "maxLength", "pattern")


def merge_limits(into: Limits, other: Limits) -> bool:
    """Add to `into` what `other` asks beyond it; False where nothing can meet both any more."""
    asked = _ALL & other.keys()
    if not asked:
        return True
    for keyword in asked:
        value = other[keyword]
        if keyword in _TEXT_RULES:
            if isinstance(value, str):
                into.setdefault(keyword, value)
        elif _is_number(value):
            known = into.get(keyword, value)
            into[keyword] = max(known, value) if keyword in _LARGEST_OF else min(known, value)
    return all(into[low] <= into[high] for low, high in _BOUNDS if low in into and high in into)


def whole_bounds(limits: Limits) -> tuple[int | None, int | None]:
    """The least and the greatest whole number that `limits` lets in; None where there is no bound."""
    lows = [_ceil(limits["minimum"])] if "minimum" in limits else []
    highs = [_floor(limits["maximum"])] if "maximum" in limits else []
    if "exclusiveMinimum" in limits:
        lows.append(_floor(limits["exclusiveMinimum"]) + 1)
    if "exclusiveMaximum" in limits:
        highs.append(_ceil(limits["exclusiveMaximum"]) - 1)
    return max(lows, default=None), min(highs, default=None)


def keeps(value: Any, limits: Limits) -> bool:
    """Whether a value that is known keeps its lengths and bounds; patterns and formats are left to the contract."""
    if isinstance(value, str):
        return limits.get("minLength", 0) <= len(value) <= limits.get("maxLength", len(value))
    if isinstance(value, list):
        size = len(cast(list[Any], value))
        return limits.get("minItems", 0) <= size <= limits.get("maxItems", size)
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = limits.get("minimum", value), limits.get("maximum", value)
        above = value > limits.get("exclusiveMinimum", value - 1)
        below = value < limits.get("exclusiveMaximum", value + 1)
        return low <= value <= high and above and below
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ceil(value: float) -> int:
    return -int(-value // 1)


def _floor(value: float) -> int:
    return int(value // 1)
