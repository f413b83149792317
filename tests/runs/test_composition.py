"""From the nodes' outputs to the caller's shape."""

from __future__ import annotations

from typing import Any

import pytest

from runs.composition import (
    MAX_COMPOSED_BYTES,
    MAX_TEMPLATE_VALUES,
    CompositionError,
    compose,
    referenced_nodes,
)

OUTPUTS = {"a": {"headline": "hello", "a/b": {"~": [1, 2]}}}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("", OUTPUTS["a"]), ("/headline", "hello"), ("/a~1b/~0/1", 2)],
)
def test_a_template_takes_an_output_or_a_part_of_it(pointer: str, value: Any) -> None:
    template = {"all": [{"$node": "a", "$pointer": pointer}, "text"]}
    assert compose(template, OUTPUTS) == {"all": [value, "text"]}


@pytest.mark.parametrize("pointer", ["/nowhere", "/headline/x", "/a~1b/~0/2", "headline", "a/headline"])
def test_what_leads_nowhere_or_is_no_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(CompositionError, match=f"the output of node a has nothing at {pointer}"):
        compose({"$node": "a", "$pointer": pointer}, OUTPUTS)


def test_an_output_that_is_referred_to_often_counts_each_time() -> None:
    outputs = {"a": {"text": "x" * 100_000}}
    fits = [{"$node": "a", "$pointer": "/text"}] * (MAX_COMPOSED_BYTES // 100_100)
    assert len(compose(fits, outputs)) == len(fits)
    with pytest.raises(CompositionError, match="more than 4,194,304 bytes"):
        compose(fits * 2, outputs)
    with pytest.raises(CompositionError, match="more than 4,194,304 bytes"):
        compose([{"$node": "a"}] * 15_000, {"a": list(range(100_000))})


def test_a_template_has_a_limited_number_of_values() -> None:
    empty: list[Any] = [{}]
    with pytest.raises(CompositionError, match="more than 20,000 values"):
        compose(empty * MAX_TEMPLATE_VALUES, {})


def test_sources_are_each_named_once_in_order() -> None:
    template = {"x": [{"$node": "b"}, {"y": {"$node": "a"}}], "z": {"$node": "b", "$pointer": "/c"}}
    assert referenced_nodes(template) == ["b", "a"]
    assert referenced_nodes([template] * 50_000) == ["b", "a"]
