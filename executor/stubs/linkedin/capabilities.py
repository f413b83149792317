"""Honest stand-ins for the LinkedIn capabilities: fixed templates around what the envelope says, nothing more.

They are named `stub.*` so that they are not taken for real writers. The same bundle always gives the same output.
"""

from __future__ import annotations

from executor.capability import CapabilityContext
from executor.stubs.linkedin.briefs import make_brief
from executor.stubs.linkedin.posts import draft_post
from executor.stubs.linkedin.reviews import review_drafts
from executor.stubs.linkedin.said import INPUTS
from runs.event import JsonObject
from schemas.capability import CapabilityDescriptor, FacetInput
from schemas.facets import FACETS

_OPTIONAL = [FacetInput(name=name, required=False) for name in ("company_profile", "toneOfVoice")]


class BriefStub:
    """`stub.linkedin.brief`: audience, goal, key messages, and an angle for each variant."""

    descriptor = CapabilityDescriptor(
        id="stub.linkedin.brief",
        version="1",
        label="Creative brief (stub)",
        kind="structuring",
        facets_in=[*_OPTIONAL],
        input_schema=INPUTS,
        facets_out=["creative_brief"],
        about=["linkedin"],
        node_name="brief",
        output_schema=FACETS["creative_brief"].schema,
        timeout_seconds=10,
        description="Puts what the envelope says into a creative brief, by fixed templates.",
    )

    compute = staticmethod(make_brief)

    async def run(self, context: CapabilityContext) -> JsonObject:
        """The same, on the event loop."""
        return self.compute(context.bundle)


class DraftStub:
    """`stub.linkedin.draft`: one variant of the post, in the brand's voice and about its own angle."""

    descriptor = CapabilityDescriptor(
        id="stub.linkedin.draft",
        version="1",
        label="LinkedIn draft (stub)",
        kind="execution",
        facets_in=["creative_brief", *_OPTIONAL],
        input_schema=INPUTS,
        facets_out=["post_copy"],
        node_name="draft",
        output_schema=FACETS["post_copy"].schema,
        timeout_seconds=10,
        description="Fills fixed templates with the brief, the company and the variant's instructions.",
    )

    compute = staticmethod(draft_post)

    async def run(self, context: CapabilityContext) -> JsonObject:
        """The same, on the event loop."""
        return self.compute(context.bundle)


class ReviewStub:
    """`stub.linkedin.review`: what stands out in the drafts, by simple rules."""

    descriptor = CapabilityDescriptor(
        id="stub.linkedin.review",
        version="1",
        label="Review (stub)",
        kind="validation",
        facets_in=[FacetInput(name="post_copy", many=True), *_OPTIONAL],
        input_schema=INPUTS,
        facets_out=["review"],
        checks=["post_copy"],
        node_name="review",
        output_schema=FACETS["review"].schema,
        timeout_seconds=10,
        description="Checks that drafts differ, name the company, follow their instruction and fit the channel.",
    )

    compute = staticmethod(review_drafts)

    async def run(self, context: CapabilityContext) -> JsonObject:
        """The same, on the event loop."""
        return self.compute(context.bundle)
