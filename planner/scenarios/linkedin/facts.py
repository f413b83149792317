"""What an envelope says about the company, the audience and the voice, in whichever place it says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from planner.mapping.names import canonical
from planner.planner import JsonObject
from planner.scenarios.linkedin.names import COMPANY_FIELDS
from planner.text import as_list, as_object, phrase

MAX_NAMES = 500
"""How many names of one object are looked at; planning is on the way of every run."""

_VOICE_KEYS = ("brandVoice", "toneOfVoice", "tone")
_PLACES = ("inputs", "policies", "metadata")


@dataclass(frozen=True, slots=True)
class Facts:
    """`known` holds values as they were sent, by field name; `extras` everything else that has a name, canonical."""

    known: Mapping[str, Any]
    company: Mapping[str, Any]
    extras: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def digest(self) -> JsonObject:
        """What every node's bundle says: one line each, and nothing that the envelope does not say."""
        digest: JsonObject = {
            name: line
            for name in ("channel", "audience", "goal", "brandVoice")
            if (line := phrase(self.known.get(name))) is not None
        }
        company = {name: line for name, value in self.company.items() if (line := phrase(value)) is not None}
        return {**digest, "company": company} if company else digest


def read_facts(envelope: JsonObject, channel: str) -> Facts:
    """The facts in `inputs` (its context bundles first), `policies` and `metadata`; `channel` unless one is named."""
    inputs, policies = as_object(envelope.get("inputs")), as_object(envelope.get("policies"))
    bundles = [as_object(bundle) for bundle in as_list(inputs.get("contextBundles"))]
    company = _company(inputs, bundles)
    directives = as_object(as_object(policies.get("planner")).get("directives"))
    voice = _first(policies, directives, inputs, keys=_VOICE_KEYS) or _bundled(bundles, "toneOfVoice")
    known: JsonObject = {
        "objective": envelope.get("objective"),
        "channel": channel,
        "audience": _first(inputs, policies, keys=("audience", "targetAudience")),
        "goal": _first(inputs, policies, keys=("goal", "campaignGoal")),
        "brandVoice": as_object(voice).get("voice") if isinstance(voice, dict) else voice,
    }
    extras = {
        canonical(name): value
        for place in reversed(_PLACES)
        for name, value in islice(as_object(envelope.get(place)).items(), MAX_NAMES)
        if name != "contextBundles"
    }
    return Facts({name: value for name, value in known.items() if value is not None}, company, extras)


def _first(*places: JsonObject, keys: Iterable[str]) -> Any:
    return next((place[key] for key in keys for place in places if place.get(key) not in (None, "")), None)


def _bundled(bundles: list[JsonObject], kind: str) -> JsonObject:
    wanted = canonical(kind)
    for bundle in bundles:
        named = bundle.get("type")
        if isinstance(named, str) and canonical(named) == wanted:
            return as_object(bundle.get("payload"))
    return {}


def _company(inputs: JsonObject, bundles: list[JsonObject]) -> JsonObject:
    """The profile by our field names; what the context bundle says goes before what the inputs say in passing."""
    named = inputs.get("company")
    places = (_bundled(bundles, "company_profile"), as_object(inputs.get("companyProfile")), as_object(named))
    company: JsonObject = {}
    for place in places:
        for name, value in islice(place.items(), MAX_NAMES):
            if value not in (None, ""):
                company.setdefault(COMPANY_FIELDS.get(canonical(name), name), value)
    for value in (inputs.get("companyName"), named):
        if phrase(value) is not None:
            company.setdefault("companyName", value)
    return company
