"""Honest stand-ins for the LinkedIn capabilities: fixed templates around what the envelope says, nothing more.

They are named `stub.*` so that they are not taken for real writers. The same bundle always gives the same output.
"""

from __future__ import annotations

from executor.capability import CapabilityContext
from executor.stubs.linkedin.posts import draft_post
from executor.stubs.linkedin.reviews import review_drafts
from executor.stubs.linkedin.said import INPUTS
from executor.stubs.linkedin.story import NO_AUDIENCE, angle_of, asked_of_all, position_of, read_story
from executor.stubs.reading import list_of, object_at
from executor.stubs.shaping import contract_properties, fit_properties
from runs.event import JsonObject
from schemas.capability import CapabilityDescriptor, FacetInput
from schemas.facets import FACETS

_OPTIONAL = [FacetInput(name=name, required=False) for name in ("company_profile", "toneOfVoice")]
_GROUND = ("There is more to say about it.", "Facts come first.", "Plain words do best.")


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

    def compute(self, bundle: JsonObject) -> JsonObject:
        """A `creative_brief`. Raises CapabilityError where the contract's limits cannot be kept."""
        return _brief(bundle)

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

    def compute(self, bundle: JsonObject) -> JsonObject:
        """A `post_copy`. Raises CapabilityError where the contract's limits cannot be kept."""
        return draft_post(bundle)

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

    def compute(self, bundle: JsonObject) -> JsonObject:
        """A `review`. Raises CapabilityError where the contract's limits cannot be kept."""
        return review_drafts(bundle)

    async def run(self, context: CapabilityContext) -> JsonObject:
        """The same, on the event loop."""
        return self.compute(context.bundle)


def _brief(context: JsonObject) -> JsonObject:
    story, general = read_story(context), asked_of_all(context)
    bundle = object_at(context, "bundle")
    variants = [object_at({"variant": each}, "variant") for each in list_of(bundle.get("variants"))]
    messages = [
        story.purpose,
        story.goal_said,
        f"What drives {story.company_or_generic}: “{story.core_value}”." if story.core_value else "",
        f"What is new: {story.recent_event}." if story.recent_event else "",
    ]
    brief: JsonObject = {
        "channel": story.channel,
        "audience": story.audience or NO_AUDIENCE,
        "goal": story.goal or "start a conversation",
        "keyMessages": [message for message in messages if message]
        or [f"There is something to tell about {story.company_or_generic}."],
        "angles": [angle_of(variant, position_of(variant), story, general) for variant in variants],
        "toneOfVoice": story.voice or "neutral",
    }
    return fit_properties(brief, contract_properties(context, FACETS["creative_brief"].schema), _GROUND)
