"""The planner that ships: it plans the scenarios that it knows, and derives a plan for every other envelope."""

from __future__ import annotations

from collections.abc import Sequence

from planner.derive.missing import FACET_UNAVAILABLE
from planner.derive.places import UNSATISFIABLE
from planner.derive.planner import derive_plan
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.scenarios.linkedin.scenario import LinkedInScenario
from planner.scenarios.scenario import Scenario

_NOT_UNDERSTOOD = frozenset({FACET_UNAVAILABLE, UNSATISFIABLE})
"""Refusals after which it helps to know which scenarios there are."""


class SkeletonPlanner:
    """Recognises a scenario by what the envelope says.

    Where none is recognised, the plan is derived from the contract.
    """

    name = "skeleton"
    instant = True

    def __init__(self, scenarios: Sequence[Scenario] = (LinkedInScenario(),)) -> None:
        self._scenarios = tuple(scenarios)

    def plan(
        self, envelope: JsonObject, capabilities: Sequence[JsonObject], context: PlanContext
    ) -> JsonObject:
        """A PlanGraph in wire form. Raises PlanRefused with every reason that was found."""
        descriptors = {str(each.get("id")): each for each in capabilities}
        for scenario in self._scenarios:
            if scenario.recognises(envelope):
                return scenario.plan(envelope, descriptors, context)
        try:
            return derive_plan(envelope, descriptors, context)
        except PlanRefused as refused:
            if any(each["code"] in _NOT_UNDERSTOOD for each in refused.diagnostics):
                raise PlanRefused([self._unknown(), *refused.diagnostics]) from None
            raise

    def _unknown(self) -> JsonObject:
        known = "; ".join(scenario.help for scenario in self._scenarios)
        return diagnostic(
            "objective_unknown", f"No known scenario fits this objective. Known are: {known}.", "/objective"
        )
