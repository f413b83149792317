"""Lists with limits that no stub can keep are refused at once, never looked for without end."""

import time
from typing import Any

import pytest

from executor.capability import CapabilityError
from executor.stubs.linkedin.hashtags import fit_hashtags
from executor.stubs.shaping import fit_list


@pytest.mark.parametrize(
    ("schema", "count"),
    [
        ({"minItems": 20, "items": {"maxLength": 2}}, 20),
        ({"minItems": 20, "items": {"maxLength": 3}}, 20),
        ({"minItems": 300, "maxItems": 300, "items": {"maxLength": 8}}, 300),
        ({"minItems": 20, "items": {"minLength": 60, "maxLength": 60}}, 20),
    ],
)
def test_many_short_hashtags_are_all_different(schema: dict[str, Any], count: int) -> None:
    tags = fit_hashtags(["#Example", "#Other"], schema)
    items = schema["items"]
    assert len(tags) == len(set(tags)) == count
    assert all(items.get("minLength", 0) <= len(tag) <= items["maxLength"] for tag in tags)


@pytest.mark.parametrize(
    "schema",
    [
        {"minItems": 200, "items": {"maxLength": 2}},
        {"minItems": 300_000_000},
        {"minItems": 1, "items": {"minLength": 300_000_000, "maxLength": 300_000_000}},
        {"minItems": 2, "items": {"maxLength": 1}},
    ],
)
def test_hashtags_that_cannot_be_are_refused_at_once(schema: dict[str, Any]) -> None:
    began = time.process_time()
    with pytest.raises(CapabilityError) as refused:
        fit_hashtags(["#Example"], schema)
    assert refused.value.code == "limits_impossible"
    assert time.process_time() - began < 0.5


def test_a_list_of_300_000_000_items_is_refused_at_once() -> None:
    with pytest.raises(CapabilityError, match="300000000"):
        fit_list("angles", ["one"], {"minItems": 300_000_000}, ["more"])
