"""Keys of a caller's contract that look like the references of a composition."""

from __future__ import annotations

from typing import Any

import pytest

from planner.planner import PlanRefused
from tests.support.linkedin import carry_out, with_inputs

HAS_GOAL = {"type": "object", "required": ["goal"]}
OF_NOTHING = (
    {"const": None},
    {"enum": [None]},
    {"const": "brief"},
    {"const": {"a": [{"$node": "brief"}]}},
    {"type": ["null", "string"], "default": None},
    {"type": ["object", "null"], "default": {"$node": "brief"}},
)


def contract(member: Any, name: str, required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {"post": HAS_GOAL, name: member}, "required": required}


@pytest.mark.parametrize("name", ["$node", "other"])
@pytest.mark.parametrize("required", [[], ["post"]], ids=["optional", "required post"])
@pytest.mark.parametrize("member", OF_NOTHING, ids=str)
def test_an_optional_member_that_reads_like_a_reference_is_left_out(
    member: Any, required: list[str], name: str
) -> None:
    output = carry_out(with_inputs(contract(member, name, required), variantCount=None)).output
    assert set(output["post"]) > {"goal"}
    assert name == "other" or name not in output


@pytest.mark.parametrize("member", OF_NOTHING, ids=str)
def test_a_required_one_is_refused(member: Any) -> None:
    with pytest.raises(PlanRefused) as refused:
        carry_out(with_inputs(contract(member, "$node", ["post", "$node"]), variantCount=None))
    assert all(each["path"].startswith("/outputContract/schema") for each in refused.value.diagnostics)
