"""Budgets: a limit that is reached stops the run before anything new starts, or does what a policy says."""

from __future__ import annotations

from typing import Any

import pytest

from runs import commands as c
from tests.support.given import NOON, Given, node

USAGE = {"inputTokens": 60, "outputTokens": 40, "costMicros": 500, "currency": "EUR", "seconds": 2.0}


def limited(budget: dict[str, Any], *rules: dict[str, Any]) -> Given:
    """A run within this budget, with a plan of `a` and then `b`."""
    given = Given().started(constraints={"budget": budget}, policies={"runtime": list(rules)})
    return given.planned(node("a"), node("b", "a"))


def used(given: Given, node_id: str, usage: dict[str, Any] = USAGE) -> Given:
    given = given.start(node_id)
    attempt = given.state.nodes[node_id].attempt
    return given.when(
        c.CompleteNode(now=NOON, node_id=node_id, attempt=attempt, output=1, duration_ms=1, usage=usage)
    )


@pytest.mark.parametrize(
    "budget",
    [
        {"tokens": 99},
        {"tokens": 100},
        {"seconds": 1.5},
        {"costMicros": 400},
        {"costMicros": 400, "currency": "EUR"},
    ],
)
def test_a_limit_that_is_reached_ends_the_run_at_the_next_boundary(budget: dict[str, Any]) -> None:
    given = used(limited(budget), "a")
    assert given.types == ["node_complete", "policy_triggered", "complete"]
    assert given.state.status == "failed"
    cause = given.new[1].payload["cause"]
    (name,) = cause["limit"]
    assert cause["limit"][name] == budget[name] <= cause["used"][name]


@pytest.mark.parametrize("budget", [{"tokens": 101}, {"costMicros": 1, "currency": "USD"}, {"nodes": 2}])
def test_a_limit_that_is_not_reached_stops_nothing(budget: dict[str, Any]) -> None:
    assert used(limited(budget), "a").types == ["node_complete"]


def test_the_last_node_may_use_all_that_there_is() -> None:
    assert used(used(limited({"tokens": 200}), "a"), "b").types == ["node_complete"]
    assert used(used(limited({"tokens": 199}), "a"), "b").state.status == "failed"


def test_attempts_are_counted_as_they_start() -> None:
    given = limited({"nodes": 2}).start("a").fail("a", retryable=True)
    assert given.state.status == "running"
    assert given.later(60).start("a").complete("a").state.status == "failed"


def test_a_policy_says_what_happens_and_is_asked_once() -> None:
    rule = {"id": "ask", "trigger": "onBudget", "action": "hitl"}
    given = used(limited({"tokens": 50}, rule), "a")
    assert given.types == ["node_complete", "policy_triggered", "hitl_request"]
    assert used(given.respond("approval"), "b").types == ["node_complete"]


def test_a_plan_that_cannot_fit_the_budget_is_refused_before_it_starts() -> None:
    given = limited({"nodes": 1})
    assert given.types == ["plan_requested", "plan_rejected", "complete"]
    assert given.new[1].payload["diagnostics"][0]["code"] == "over_budget"
    dear = Given().started(constraints={"budget": {"tokens": 10}})
    dear = dear.planned(node("a"), metadata={"cost": {"tokens": 11, "micros": 0, "seconds": 1}})
    assert dear.types == ["plan_requested", "plan_rejected", "complete"]
