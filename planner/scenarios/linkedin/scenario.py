"""LinkedIn posts: a brief, one draft for each variant in parallel, a review, and the caller's shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.contract import Contract
from planner.findings import Findings, check_capabilities, check_facets
from planner.mapping.contract_fit import ContractFits
from planner.node_factory import read_node_factory
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.scenarios.linkedin.facts import read_facts
from planner.scenarios.linkedin.nodes import BRIEF, DRAFT, HUMAN_REVIEW, RESHAPES, REVIEW
from planner.scenarios.linkedin.plan import PlanningInput, agree
from planner.scenarios.linkedin.variants import MAX_VARIANTS, read_instructions, wanted_variants
from planner.scenarios.linkedin.words import CHANNEL, asks_for_linkedin
from planner.text import as_list, as_object

_MAKERS = (BRIEF, DRAFT, REVIEW)


@dataclass(frozen=True, slots=True)
class LinkedInScenario:
    """Plans LinkedIn posts in 1 to 6 variants."""

    name: str = "linkedin"
    help: str = (
        "linkedin makes LinkedIn posts in 1 to 6 variants: set inputs.channel to 'linkedin', or ask for LinkedIn posts "
        "in the objective; inputs.variantCount, inputs.audience, inputs.goal, a company_profile in "
        "inputs.contextBundles and policies.brandVoice shape them, and policies.humanReview has a person look at them"
    )

    fits: ContractFits = field(default_factory=ContractFits)

    def recognises(self, envelope: JsonObject) -> bool:
        return asks_for_linkedin(envelope)

    def plan(
        self, envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext
    ) -> JsonObject:
        """The plan for the number of variants on which envelope and contract agree. Raises PlanRefused."""
        contract = Contract(as_object(envelope.get("outputContract")))
        instructions = read_instructions(
            envelope, [text for text in (contract.instructions, context.feedback) if text]
        )
        findings = Findings()
        findings.gather(lambda: check_capabilities(_MAKERS, descriptors))
        findings.gather(lambda: _check_reshape(descriptors))
        findings.gather(lambda: check_facets(contract, descriptors, _MAKERS))
        findings.gather(lambda: _check_format(contract))
        factory = findings.gather(lambda: read_node_factory(envelope, descriptors))
        wanted = findings.gather(lambda: wanted_variants(envelope, instructions.highest))
        reviewers = findings.gather(lambda: _reviewers(envelope, descriptors))
        if wanted is not None:
            findings.gather(lambda: instructions.check(wanted.count or MAX_VARIANTS))
        if findings.diagnostics or factory is None or wanted is None:
            raise PlanRefused(findings.diagnostics)
        facts = read_facts(envelope, CHANNEL)
        return agree(
            PlanningInput(
                contract,
                facts,
                facts.digest(),
                instructions,
                factory,
                context.run_id,
                self.fits,
                reviewers,
            ),
            wanted,
        )


def _reviewers(envelope: JsonObject, descriptors: Mapping[str, JsonObject]) -> list[str] | None:
    """`policies.humanReview`: who may do it are the approvers of `policies.hitl`. Raises PlanRefused."""
    policies = as_object(envelope.get("policies"))
    asked = policies.get("humanReview")
    if asked is None or asked is False:
        return None
    if asked is not True:
        message = "humanReview is true or false."
        raise PlanRefused([diagnostic("policy_invalid", message, "/policies/humanReview")])
    check_capabilities((HUMAN_REVIEW,), descriptors)
    return [str(name) for name in as_list(as_object(policies.get("hitl")).get("approvers"))]


def _check_reshape(descriptors: Mapping[str, JsonObject]) -> None:
    if not any(capability_id in descriptors for capability_id in RESHAPES):
        check_capabilities(RESHAPES[-1:], descriptors)


def _check_format(contract: Contract) -> None:
    if contract.foreign_format is not None:
        message = f"A text can be delivered, plain or in markdown, but no {contract.foreign_format}."
        raise PlanRefused([diagnostic("format_unavailable", message, "/outputContract/expectedFormat")])
