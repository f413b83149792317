"""An envelope under the house's policy: what it leaves open is filled in, what it loosens is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schemas.house_policy import HousePolicy, house_problem
from schemas.json_types import JsonObject
from schemas.plan import DEFAULT_MAX_ATTEMPTS
from schemas.policies import APPROVAL_KEY, approval_directive
from schemas.refusal import DocumentRefused, FieldProblem

RolesOf = Callable[[str], tuple[str, ...]]
"""The roles that a name has; () for a name that is not known."""


def apply_house_policy(
    envelope: JsonObject, house: HousePolicy, roles_of: RolesOf
) -> tuple[JsonObject, list[str]]:
    """The envelope (wire form) with the house's rules, and pointers to those that were filled in.

    Raises DocumentRefused (`house_policy`) with each place that is looser than the house allows.
    """
    tightening = _Tightening(house, roles_of)
    tightened = tightening.envelope(envelope)
    if tightening.problems:
        raise DocumentRefused(tightening.problems)
    return tightened, tightening.applied


@dataclass(slots=True)
class _Tightening:
    house: HousePolicy
    roles_of: RolesOf
    problems: list[FieldProblem] = field(default_factory=list[FieldProblem])
    applied: list[str] = field(default_factory=list[str])

    def envelope(self, envelope: JsonObject) -> JsonObject:
        policies: JsonObject = dict(envelope.get("policies") or {})
        constraints: JsonObject = dict(envelope.get("constraints") or {})
        self._approval(policies, constraints)
        self._rules(policies)
        limits = self.house.limits
        self._most(constraints, "deadlineSeconds", limits.deadline_seconds, None, "/constraints")
        self._most(policies, "maxAttempts", limits.max_attempts, DEFAULT_MAX_ATTEMPTS, "/policies")
        changed = {"policies": policies, "constraints": constraints}
        return {**envelope, **{name: part for name, part in changed.items() if part or name in envelope}}

    def _fill(self, part: JsonObject, key: str, value: Any, place: str) -> None:
        part[key] = value
        self.applied.append(f"{place}/{key}")

    def _object(self, place: str, key: str, message: str) -> None:
        self.problems.append(house_problem(f"{place}/{key}", message))

    def _approval(self, policies: JsonObject, constraints: JsonObject) -> None:
        key = APPROVAL_KEY
        said = {
            "/policies": policies.get(key),
            "/constraints": constraints.get(key),
            "/policies/planner/directives": approval_directive(policies.get("planner")),
        }
        if not self.house.requires_hitl_approval or any(said.values()):
            return
        for place in (place for place, asked in said.items() if asked is False):
            self._object(place, key, "The house has every output approved; leave this out.")
        self._fill(policies, key, True, "/policies")

    def _rules(self, policies: JsonObject) -> None:
        if not self.house.wants_people:
            return
        rules: JsonObject = dict(policies.get("hitl") or {})
        self._base(rules, "/policies/hitl")
        self._check(rules, "/policies/hitl")
        if rules:
            policies["hitl"] = rules
        for index, policy in enumerate(policies.get("runtime") or []):
            action: JsonObject = policy["action"] if isinstance(policy["action"], dict) else {}
            self._check(action.get("hitl") or {}, f"/policies/runtime/{index}/action/hitl")

    def _base(self, rules: JsonObject, place: str) -> None:
        """Fill in what the run's own rules leave open; the rules of an action are laid over these."""
        house = self.house.hitl
        if house.approvers and not rules.get("approvers"):
            self._fill(rules, "approvers", list(house.approvers), place)
        if house.quorum > 1 and "quorum" not in rules:
            self._fill(rules, "quorum", house.quorum, place)
        if house.forbid_submitter and "forbidSubmitter" not in rules:
            self._fill(rules, "forbidSubmitter", True, place)

    def _check(self, rules: JsonObject, place: str) -> None:
        house = self.house.hitl
        if house.approvers:
            self._approvers(rules, place)
        if rules.get("quorum", house.quorum) < house.quorum:
            self._object(place, "quorum", f"The house asks for a quorum of at least {house.quorum}.")
        if house.forbid_submitter and rules.get("forbidSubmitter") is False:
            self._object(place, "forbidSubmitter", "The house lets no author decide; leave this out.")
        for key in ("onExpiry", "afterEscalation"):
            if rules.get(key) == "approve":
                self._object(place, key, "The house lets nothing be approved by the clock.")

    def _approvers(self, rules: JsonObject, place: str) -> None:
        allowed = self.house.hitl.approvers
        among = f"the house allows {', '.join(allowed)}"
        if "approvers" in rules and not rules["approvers"]:
            self._object(place, "approvers", f"This would let anybody decide; {among}.")
        for index, name in enumerate(rules.get("approvers") or []):
            if not self._is_allowed(name):
                self._object(place, f"approvers/{index}", f"{name} may not decide here; {among}.")
        escalated = rules.get("escalateTo")
        if escalated is not None and not self._is_allowed(escalated):
            self._object(place, "escalateTo", f"{escalated} may not decide here; {among}.")

    def _is_allowed(self, name: str) -> bool:
        return bool({name, *self.roles_of(name)} & set(self.house.hitl.approvers))

    def _most(
        self, part: JsonObject, key: str, most: float | None, default: float | None, place: str
    ) -> None:
        if most is None:
            return
        asked = part.get(key)
        if asked is None and (default is None or default > most):
            self._fill(part, key, most, place)
        elif asked is not None and asked > most:
            self._object(place, key, f"The house allows at most {most:g}.")
