"""From the nodes' outputs to the caller's shape."""

from __future__ import annotations

from typing import Any

import pytest

from runs.composition import CompositionError, compose

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
