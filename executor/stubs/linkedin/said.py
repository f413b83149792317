"""What a ContextBundle says about the company, the audience and the voice, in whichever place it says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from executor.stubs.reading import line, list_of, object_at
from runs.event import JsonObject

INPUTS: JsonObject = {
    "type": "object",
    "properties": {
        "channel": True, "audience": True, "targetAudience": True, "goal": True, "campaignGoal": True,
        "brandVoice": True, "toneOfVoice": True, "tone": True, "company": True, "companyName": True,
        "companyProfile": True, "coreValue": True, "recentEvent": True,
    },
}  # fmt: skip
"""The inputs that the stubs read, beside the facets."""

_VOICE = ("brandVoice", "toneOfVoice", "tone")


def said_of_company(context: JsonObject) -> JsonObject:
    """The profile: of the bundle or the facet, else what the inputs say in passing."""
    inputs = object_at(context, "inputs")
    named = {"companyName": _text(inputs, "companyName", "company")}
    facts = {name: inputs.get(name) for name in ("coreValue", "recentEvent")}
    found: JsonObject = {}
    for place in (
        object_at(context, "bundle", "company"),
        object_at(context, "facets", "company_profile"),
        object_at(inputs, "companyProfile"),
        object_at(inputs, "company"),
        {"companyName": object_at(inputs, "company").get("name")},
        named,
        facts,
    ):
        for name, value in place.items():
            if value not in (None, ""):
                found.setdefault(name, value)
    return found


def said_audience(context: JsonObject) -> str:
    """For whom it is."""
    return _first(context, ("audience", "targetAudience"))


def said_goal(context: JsonObject) -> str:
    """What it is to achieve."""
    return _first(context, ("goal", "campaignGoal"))


def said_voice(context: JsonObject) -> str:
    """How it is to sound."""
    directives = object_at(context, "policies", "planner", "directives")
    facet = object_at(context, "facets", "toneOfVoice")
    return _first(context, _VOICE, directives) or _text(facet, "voice")


def said_channel(context: JsonObject) -> str:
    """Where it is to appear."""
    return _text(object_at(context, "bundle"), "channel") or _text(object_at(context, "inputs"), "channel")


def _first(context: JsonObject, names: Iterable[str], *more: JsonObject) -> str:
    places = (
        object_at(context, "bundle"),
        object_at(context, "policies"),
        *more,
        object_at(context, "inputs"),
    )
    return next((text for name in names for place in places if (text := _text(place, name))), "")


def _text(place: JsonObject, *names: str) -> str:
    """A line; of an object with a voice that, of a list its texts, of a number its digits."""
    for name in names:
        value: Any = place.get(name)
        if isinstance(value, dict):
            value = object_at(place, name).get("voice")
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        parts = [text for each in list_of(value)[:20] if (text := line(each))]
        text = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
        if text := text or line(value):
            return text
    return ""
