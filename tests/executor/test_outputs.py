"""What a capability may return, and the error for what it may not."""

from __future__ import annotations

import enum
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.outputs import OutputRefused, as_json

LIMIT = 10_000


@dataclass
class Point:
    x: float


def cyclic_list() -> Any:
    loop: list[Any] = [1]
    loop.append(loop)
    return loop


def cyclic_object() -> Any:
    loop: dict[str, Any] = {}
    loop["self"] = {"inner": [loop, loop]}
    return loop


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (float("nan"), "the whole output is not a finite number"),
        ({"a": [1, {"b/c": float("inf")}]}, "/a/1/b~1c is not a finite number"),
        ({"a": (None, float("-inf"))}, "/a/1 is not a finite number"),
        ({"text": "a\x00b"}, "(/text)"),
        ({"a\x00b": 1}, "NUL"),
        ("\ud800", "UTF-8"),
        ({1: "a"}, "key"),
        (2**64, "64-bit"),
        (-(2**63) - 1, "64-bit"),
        (object(), "object"),
        (b"bytes", "bytes"),
        ({"a": {1, 2}}, "set"),
        (Point(float("nan")), "Point"),
        (cyclic_list(), "ecursion"),
        (cyclic_object(), "ecursion"),
        (nested(101), "100"),
        (lambda: 1, "function"),
        (ValueError("boom"), "ValueError"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(output: Any, says: str) -> None:
    with pytest.raises(OutputRefused) as refused:
        as_json(output, LIMIT)
    assert refused.value.code == "output_not_json"
    assert says in refused.value.message
    assert len(refused.value.message) <= 2_000


def test_an_output_over_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(OutputRefused) as refused:
        as_json("x" * LIMIT, LIMIT)
    assert refused.value.code == "output_too_large"
    assert "10,002" in refused.value.message
    assert "10,000" in refused.value.message
    assert as_json("x" * (LIMIT - 2), LIMIT) == "x" * (LIMIT - 2)


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        (None, None),
        ({"null": None, "text": "null"}, {"null": None, "text": "null"}),
        ("a backslash and letters: \\u0000", "a backslash and letters: \\u0000"),
        ((1, (2, 3)), [1, [2, 3]]),
        (OrderedDict(a=1), {"a": 1}),
        (Colour.RED, "red"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22T00:00:00+00:00"),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (nested(100), nested(100)),
    ],
)
def test_what_can_be_written_is_kept_as_it_was_written(output: Any, kept: Any) -> None:
    assert as_json(output, LIMIT) == kept


def test_the_run_keeps_a_copy_that_the_capability_cannot_change_later() -> None:
    output: dict[str, Any] = {"tags": ["a"]}
    kept = as_json(output, LIMIT)
    output["tags"].append("b")
    assert kept == {"tags": ["a"]}


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=3)
    | st.builds(object),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(ANYTHING)
def test_every_output_of_a_capability_is_stored_unchanged_or_refused(output: Any) -> None:
    try:
        kept = as_json(output, LIMIT)
    except OutputRefused:
        return
    assert kept == output
