"""Budgets: what the attempts of a run have used is compared with `constraints.budget` after each step of the run.

A limit is reached when more is used, or when all is used, nothing is at work and there is work left to start.
Each is reacted to once: by the policies with `onBudget`, or, where there is none, by the end of the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from runs.draft import Draft
from runs.event import JsonObject
from runs.rules.policy_steps import Firing, take
from runs.rules.replans import REPLAN_LIMIT, replans_of
from runs.rules.runtime_policies import named_policies, observe
from runs.state import RunState, attempts_of
from runs.transitions import PENDING, READY, RUNNING, WAITING_RETRY
from schemas.budget import Budget
from schemas.runtime_policies import RuntimePolicy

_TO_START = frozenset({PENDING, READY, WAITING_RETRY})
_ENDS_THE_RUN = RuntimePolicy(id="budget", trigger="onBudget", action="fail")


def check_budget(draft: Draft) -> None:
    """React to each limit that is reached now."""
    budget = draft.state.policies.budget
    if budget is None or not draft.state.exists:
        return
    for name, limit, used in list(_reached(draft.state, budget)):
        mark = f"budget {name}"
        if not draft.state.finished and mark not in draft.state.marks:
            _react(draft, mark, {"event": "budget", "limit": {name: limit}, "used": {name: used}}, name)


def _react(draft: Draft, mark: str, cause: JsonObject, name: str) -> None:
    about = f"the end of its budget of {name}"
    rules = [each for each in named_policies(draft.state) if each[1].watched.kind == "onBudget"]
    fired = False
    for policy_id, policy in rules:
        if draft.state.finished:
            return
        observed = observe(draft, policy, policy_id, None, None)
        if observed is not None:
            firing = Firing(policy_id, policy, {**cause, **observed}, None, about, mark=mark)
            take(draft, firing, policy.taken)
            fired = True
    if not fired:
        code = REPLAN_LIMIT if name == "replans" else "policy_failed"
        end = Firing("budget", _ENDS_THE_RUN, cause, None, about, mark=mark, code=code)
        take(draft, end, _ENDS_THE_RUN.taken)


def _reached(state: RunState, budget: Budget) -> Iterator[tuple[str, float, float]]:
    """The limits that are reached: name, limit, and what is used."""
    statuses = {node.status for node in state.nodes.values()}
    work_left = bool(statuses & _TO_START) and RUNNING not in statuses
    for name, limit, used in _sums(state, budget):
        if limit is not None and (used > limit or (used == limit and work_left)):
            yield name, limit, used
    replans = replans_of(state)
    if budget.replans is not None and replans > budget.replans:
        yield "replans", budget.replans, replans


def _sums(state: RunState, budget: Budget) -> Iterator[tuple[str, float | None, float]]:
    used = state.usage
    money = used.cost_micros
    spent = sum(money.values()) if budget.currency is None else money.get(budget.currency, 0)
    yield "costMicros", budget.cost_micros, spent
    yield "tokens", budget.tokens, used.input_tokens + used.output_tokens
    yield "seconds", budget.seconds, used.seconds
    yield "nodes", budget.nodes, attempts_of(state)


def over_budget(state: RunState, plan: JsonObject, carried: Collection[str] = ()) -> list[JsonObject]:
    """Why a plan cannot fit what is left of the budget, as diagnostics.

    It takes its nodes, except those that are `carried` over, and what its planner expects it to cost.
    """
    budget = state.policies.budget
    to_start = sum(node["id"] not in carried for node in plan["nodes"])
    return [] if budget is None else _beyond(_sums(state, budget), plan, to_start)


def beyond_budget(budget: Budget, plan: JsonObject) -> list[JsonObject]:
    """The same for a run that has used nothing."""
    limits = (
        ("costMicros", budget.cost_micros),
        ("tokens", budget.tokens),
        ("seconds", budget.seconds),
        ("nodes", budget.nodes),
    )
    return _beyond([(name, limit, 0) for name, limit in limits], plan, len(plan["nodes"]))


def _beyond(
    sums: Iterable[tuple[str, float | None, float]], plan: JsonObject, to_start: int
) -> list[JsonObject]:
    metadata: JsonObject = plan.get("metadata") or {}
    cost: JsonObject = metadata.get("cost") or {}
    expected = {
        "nodes": to_start,
        "costMicros": cost.get("micros"),
        "tokens": cost.get("tokens"),
        "seconds": cost.get("seconds"),
    }
    return [
        {
            "code": "over_budget",
            "message": f"The plan is expected to take {value:g} {name}; {_allowed(limit, used)}.",
            "path": f"/constraints/budget/{name}",
        }
        for name, limit, used in sums
        if limit is not None and isinstance(value := expected[name], int | float) and value + used > limit
    ]


def _allowed(limit: float, used: float) -> str:
    if not used:
        return f"the budget allows {limit:g}"
    return f"of the {limit:g} that the budget allows, {used:g} are used"
