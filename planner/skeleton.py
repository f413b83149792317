"""The rule-based planner: it plans the scenarios that it knows, and chains capabilities for all other envelopes."""

from __future__ import annotations

from collections.abc import Sequence

from planner.chain.missing import FACET_UNAVAILABLE
from planner.chain.planner import plan_chain, wants_a_chain
from planner.contract import Contract
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.scenarios.linkedin.scenario import LinkedInScenario
from planner.scenarios.scenario import Scenario
from planner.text import as_object


class SkeletonPlanner:
    """Recognises a scenario by what the envelope says.

    Where none is recognised, a contract that asks for facets is met by a chain; every other envelope is refused.
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
        contract = Contract(as_object(envelope.get("outputContract")))
        if not wants_a_chain(contract, descriptors, context):
            raise PlanRefused([self._unknown()])
        try:
            return plan_chain(envelope, descriptors, context)
        except PlanRefused as refused:
            if any(each["code"] == FACET_UNAVAILABLE for each in refused.diagnostics):
                raise PlanRefused([self._unknown(), *refused.diagnostics]) from None
            raise

    def _unknown(self) -> JsonObject:
        known = "; ".join(scenario.help for scenario in self._scenarios)
        return diagnostic(
            "objective_unknown", f"No known scenario fits this objective. Known are: {known}.", "/objective"
        )
