"""What the engine plans and runs is data: none of its modules names a kind of task."""

from __future__ import annotations

from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
STUBS = HOUSE / "executor" / "stubs"
"""The capabilities that ship are LinkedIn's; the engine reaches them by what their descriptors say."""

MODULES = sorted(
    path
    for folder in ("planner", "executor", "runs")
    for path in (HOUSE / folder).rglob("*.py")
    if not path.is_relative_to(STUBS)
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_module_names_linkedin(path: Path) -> None:
    assert "linkedin" not in path.read_text().casefold()
