"""JSON pointers, by the examples of RFC 6901 and by what must not be taken for one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import pointer

RFC_DOCUMENT: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("", RFC_DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_rfc_resolve(place: str, value: Any) -> None:
    assert pointer.resolve(RFC_DOCUMENT, place) == value


@pytest.mark.parametrize(
    "place", ["/foo/2", "/foo/01", "/foo/-", "/foo/-1", "/foo/x", "/foo/0/0", "/bar", "/foo/²"]
)
def test_a_pointer_to_nothing_is_a_lookup_error(place: str) -> None:
    with pytest.raises(LookupError):
        pointer.resolve(RFC_DOCUMENT, place)


def test_text_without_a_leading_slash_is_no_pointer() -> None:
    with pytest.raises(ValueError, match="slash"):
        pointer.resolve(RFC_DOCUMENT, "foo")


@given(st.lists(st.text(max_size=20) | st.integers(0, 99), max_size=8))
def test_what_is_built_is_split_into_the_same_parts(parts: list[str | int]) -> None:
    assert pointer.split(pointer.build(parts)) == [str(part) for part in parts]
    assert pointer.build_bounded(parts) == pointer.build(parts)


def test_a_pointer_that_would_be_too_long_ends_at_an_ancestor() -> None:
    assert pointer.build_bounded(["a", "b" * 3_000, "c"]) == "/a"
    assert len(pointer.build_bounded(["x" * 900] * 5)) == 2 * 901
