"""docs/policies.md: every trigger and every action has an example, and each example is accepted and fires."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from runs import commands as c
from runs.outstanding import outstanding
from schemas.envelope import TaskEnvelope
from schemas.parsing import validate_document
from tests.support.given import ANN, NOON, Given, at, node
from tests.support.markdown import fenced, section
from tests.support.processes import ROOT

PAGE = "docs/policies.md"
EXAMPLES: list[dict[str, Any]] = [
    orjson.loads(example) for example in fenced((ROOT / PAGE).read_text(), "json")
]
BROKEN = ({"instancePath": "", "message": "is wrong"},)


def _word(part: Any, key: str) -> str:
    return part if isinstance(part, str) else part[key]


def _rows(heading: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", section(PAGE, heading), re.MULTILINE))


def _until_it_fires(policy: dict[str, Any]) -> Given:
    """A run in which all kinds of things happen, up to the one that fires the policy."""
    budget = {"constraints": {"budget": {"nodes": 3}}} if policy["trigger"] == "onBudget" else {}
    envelope: dict[str, Any] = {
        **budget,
        "metadata": {"runLabel": "launch"},
        "policies": {"runtime": [policy]},
    }
    given = Given().started(**envelope)
    steps = [
        lambda run: run.planned(node("draft"), node("check", "draft"), node("last", "check")),
        lambda run: run.start("draft"),
        _time_out,
        lambda run: run.complete("draft", {"score": 0.5, "metrics": {"quality": 0.8}}),
        lambda run: run.start("check"),
        lambda run: run.fail("check", retryable=True),
        lambda run: run.later(60).start("check"),
        lambda run: run.complete("check"),
        lambda run: run.start("last").complete("last", errors=BROKEN),
    ]
    for step in steps:
        if _fired(given):
            break
        given = step(given)
    if not _fired(given):
        given = given.when(c.TriggerPolicy(now=NOON, actor=ANN, policy_id=policy["id"]))
    return given


def _time_out(given: Given) -> Given:
    for work in outstanding(given.state).values():
        if work.kind == "policy_timeout":
            return given.when(c.TimeOutPolicy(now=at(60), ref=work.ref, attempt=work.attempt))
    return given


def _fired(given: Given) -> bool:
    return any(event.type == "policy_triggered" for event in given.log)


@pytest.mark.parametrize("policy", EXAMPLES, ids=[each["id"] for each in EXAMPLES])
def test_an_example_is_accepted_and_fires(policy: dict[str, Any]) -> None:
    base = {"objective": "write", "outputContract": {"schema": True}}
    validate_document(TaskEnvelope, {**base, "policies": {"runtime": [policy]}})
    given = _until_it_fires(policy)
    fired = next(event for event in given.log if event.type == "policy_triggered")
    assert fired.payload["trigger"] == policy["trigger"]
    assert fired.payload["action"] == policy["action"]


def test_each_row_of_the_reference_has_an_example() -> None:
    assert _rows("Triggers") == {_word(each["trigger"], "kind") for each in EXAMPLES}
    assert _rows("Actions") == {_word(each["action"], "type") for each in EXAMPLES}
