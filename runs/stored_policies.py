"""The policies of a run as its rules read them: parsed by the models that accepted them.

An envelope is refused where it breaks these models. What an old log holds beyond them is left out,
so that every old run can be loaded, decided and ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, get_args

from runs.event import Json, JsonObject
from schemas.base import MAX_NAME_CHARS, MAX_SECONDS
from schemas.budget import Budget
from schemas.goals import GoalCondition
from schemas.hitl_policy import MAX_APPROVERS, HitlPolicy
from schemas.house_policy import HousePolicy
from schemas.policies import APPROVAL_KEY, REPLAN_ON, approval_directive
from schemas.runtime_policies import RuntimePolicy
from schemas.stored import read_stored
from schemas.vocabulary import ReplanTrouble

UNREADABLE = "an approver who cannot be read"
"""Stands for a stored approver that is no name, so that a rule with approvers never becomes one without."""


@dataclass(frozen=True, slots=True)
class RunPolicies:
    """What the rules read of an envelope. `deadline_seconds` is None for a run without a deadline.

    `replan_on` are the kinds of trouble that have the run planned again.
    """

    hitl: HitlPolicy
    runtime: tuple[RuntimePolicy, ...] = ()
    approval_required: bool = False
    deadline_seconds: float | None = None
    goals: tuple[GoalCondition, ...] = ()
    budget: Budget | None = None
    replan_on: tuple[ReplanTrouble, ...] = REPLAN_ON

    def named(self) -> Iterator[tuple[int, str, RuntimePolicy]]:
        """The runtime policies: the number of each, counted from 1, and the name that its firings have."""
        for number, policy in enumerate(self.runtime, start=1):
            yield number, policy.id or f"policy-{number}", policy


NO_POLICIES = RunPolicies(HitlPolicy())
NO_HOUSE = HousePolicy()


def read_policies(envelope: JsonObject) -> RunPolicies:
    """The policies in a stored envelope; never raises."""
    policies, constraints = _object(envelope.get("policies")), _object(envelope.get("constraints"))
    goals = envelope.get("goal_condition")
    if not policies and not constraints and not goals:
        return NO_POLICIES
    return RunPolicies(
        hitl=read_rules(policies.get("hitl")),
        runtime=tuple(_runtime(policies.get("runtime"))),
        approval_required=_approval_required(policies, constraints),
        replan_on=_replan_on(policies.get("replanOn")),
        deadline_seconds=read_seconds(constraints.get("deadlineSeconds")),
        budget=read_stored(Budget, budget) if isinstance(budget := constraints.get("budget"), dict) else None,
        goals=tuple(goal for each in _list(goals) if (goal := read_stored(GoalCondition, each)) is not None),
    )


def _replan_on(stored: Json) -> tuple[ReplanTrouble, ...]:
    if not isinstance(stored, list):
        return REPLAN_ON
    return tuple(each for each in get_args(ReplanTrouble) if each in stored)


def _approval_required(policies: JsonObject, constraints: JsonObject) -> bool:
    asked = [place.get(APPROVAL_KEY) for place in (policies, constraints)]
    return any(each is True for each in (*asked, approval_directive(policies.get("planner"))))


def read_house_policy(stored: Json) -> HousePolicy:
    """The house's policy that a run was accepted under, from its start's detail; never raises."""
    policy = _object(stored).get("policy")
    return (read_stored(HousePolicy, policy) if policy else None) or NO_HOUSE


def read_rules(stored: Json) -> HitlPolicy:
    """The rules in a stored envelope or request; never raises."""
    rules = _object(stored)
    return (read_stored(HitlPolicy, _named(rules)) if rules else None) or NO_POLICIES.hitl


def read_names(stored: Json) -> list[str]:
    """Stored approvers or assignees; [] only where there are none."""
    if stored is None or stored == []:
        return []
    names = cast("list[Any]", stored) if isinstance(stored, list) else [stored]
    return [each if isinstance(each, str) and each.strip() else UNREADABLE for each in names]


def _runtime(stored: Json) -> Iterator[RuntimePolicy]:
    for each in _list(stored):
        policy, action = _object(each), _object(_object(each).get("action"))
        if isinstance(action.get("hitl"), dict):
            policy = {**policy, "action": {**action, "hitl": _named(action["hitl"])}}
        read = read_stored(RuntimePolicy, policy)
        if read is not None:
            yield read


def _named(rules: JsonObject) -> JsonObject:
    names = read_names(rules.get("approvers"))
    return (
        {**rules, "approvers": [name[:MAX_NAME_CHARS] for name in names[:MAX_APPROVERS]]} if names else rules
    )


def _object(stored: Json) -> JsonObject:
    return cast(JsonObject, stored) if isinstance(stored, dict) else {}


def _list(stored: Json) -> list[Any]:
    return cast("list[Any]", stored) if isinstance(stored, list) else []


def read_seconds(stored: Json) -> float | None:
    """A stored length of time; None where there is none that can be read."""
    is_number = isinstance(stored, int | float) and not isinstance(stored, bool)
    return stored if is_number and 0 < stored <= MAX_SECONDS else None
