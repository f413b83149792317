"""The brief: audience, goal, key messages, and an angle for each variant, by fixed templates."""

from __future__ import annotations

from executor.stubs.linkedin.story import NO_AUDIENCE, angle_of, asked_of_all, position_of, read_story
from executor.stubs.reading import list_of, object_at
from executor.stubs.shaping import contract_properties, fit_properties
from runs.event import JsonObject
from schemas.facets import FACETS

_GROUND = ("There is more to say about it.", "Facts come first.", "Plain words do best.")


def make_brief(context: JsonObject) -> JsonObject:
    """A `creative_brief`. Raises CapabilityError where the contract's limits cannot be kept."""
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
