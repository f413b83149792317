"""Which version of a capability can do what was planned for another."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.same_contract import can_stand_in

PLANNED: dict[str, Any] = {
    "facetsIn": ["ticket", {"name": "mood", "required": False}, {"name": "note", "many": True}],
    "facetsOut": ["summary", "tags"],
    "outputSchema": {"type": "object", "title": "Old"},
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"label": "Another", "cost": {"micros": 5}},
        {"facetsOut": ["tags", "summary"]},
        {"outputSchema": {"type": "object", "title": "New"}},
        {"facetsIn": [*PLANNED["facetsIn"], {"name": "more", "required": False}]},
    ],
)
def test_a_version_with_the_same_contract_can_stand_in(change: dict[str, Any]) -> None:
    assert can_stand_in(PLANNED, {**PLANNED, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"facetsIn": [*PLANNED["facetsIn"], "more"]},
        {"facetsIn": ["ticket", "mood", {"name": "note", "many": True}]},
        {"facetsIn": ["ticket", {"name": "mood", "required": False}, "note"]},
        {"facetsIn": ["ticket"]},
        {"facetsOut": ["summary"]},
        {"outputSchema": {"type": "array"}},
        {"inputSchema": {"type": "object"}},
        {"idempotent": False},
    ],
)
def test_a_version_that_takes_or_gives_something_else_cannot(change: dict[str, Any]) -> None:
    assert not can_stand_in(PLANNED, {**PLANNED, **change})
