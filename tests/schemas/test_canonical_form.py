"""The canonical form against the library `rfc8785`, and against what Postgres makes of a value."""

from typing import Any

import orjson
import psycopg
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.canonical_form import canonical_form

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "a", "e1", ".0", "1.0,", "\U0001f600", "﻿", "\ufffd", '\\"', "\x1f", "\x7f", "\u2028"]
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 1.0, 1e15, 1e16, 1e20, 1e21, 1e22, 1e-5, 1e-6, 1.5e-6, 1e-7, 5e-324, 1.7976931348623157e308]
)
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=1500, deadline=None)
def test_it_is_that_of_the_library(value: Any) -> None:
    assert canonical_form(value) == rfc8785.dumps(value)


@given(FLOATS | st.integers(-(2**63), 2**64 - 1))
@settings(max_examples=1500, deadline=None)
def test_a_number_keeps_its_form_when_it_is_read_again(number: float) -> None:
    text = canonical_form([number])
    assert canonical_form(orjson.loads(orjson.dumps([number]))) == text
    assert canonical_form(orjson.loads(text)) == text


@pytest.mark.parametrize("number", [2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1])
def test_an_integer_beyond_53_bits_keeps_its_digits(number: int) -> None:
    assert canonical_form({"n": number}) == b'{"n":%d}' % number


def test_what_is_no_number_in_json_is_null() -> None:
    assert canonical_form([float("nan"), float("inf")]) == b"[null,null]"


def test_postgres_changes_nothing(postgres_url: str) -> None:
    values: list[Any] = [
        1.0, -0.0, 1e16, 1e20, 1e21, 1.5e300, 5e-324, 1e-7, 0.1, 2.0**60, 2**60, 2**64 - 1, 1e19,
        {"\U0001f600": 1, "\uffee": 2, "b": 1.0, "a": "\u2028\x1f\x7f/"},
    ]  # fmt: skip
    with psycopg.connect(postgres_url) as connection:
        for value in values:
            row = connection.execute(
                "select %s::text::jsonb::text", (orjson.dumps({"v": value}).decode(),)
            ).fetchone()
            assert row is not None
            assert canonical_form(orjson.loads(row[0])) == canonical_form({"v": value}), value
