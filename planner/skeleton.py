"""The rule-based planner: it plans the scenarios that it knows, and refuses every other envelope."""

from __future__ import annotations

from collections.abc import Sequence

from planner.contract import Contract
from planner.findings import Findings, check_facets
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.scenarios.linkedin.scenario import LinkedInScenario
from planner.scenarios.scenario import Scenario
from planner.text import as_object


class SkeletonPlanner:
    """Recognises a scenario by what the envelope says; an envelope that none recognises is refused."""

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
        findings = Findings()
        findings.diagnostics.append(self._unknown())
        contract = Contract(as_object(envelope.get("outputContract")))
        findings.gather(lambda: check_facets(contract, descriptors))
        raise PlanRefused(findings.diagnostics)

    def _unknown(self) -> JsonObject:
        known = "; ".join(scenario.help for scenario in self._scenarios)
        return diagnostic(
            "objective_unknown", f"No known scenario fits this objective. Known are: {known}.", "/objective"
        )
