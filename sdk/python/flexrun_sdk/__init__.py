"""Bring your own functions to flexrun: `@capability` on a typed function makes a capability of it."""

from flexrun_sdk.calling import prepare_call, result_to_json
from flexrun_sdk.capability import CapabilityFunction, capabilities_in, capability, capability_of
from flexrun_sdk.context import Context
from flexrun_sdk.errors import CapabilityError, CapabilityMistake, PersonAsked

__version__ = "0.1.0"

__all__ = [
    "CapabilityError",
    "CapabilityFunction",
    "CapabilityMistake",
    "Context",
    "PersonAsked",
    "capabilities_in",
    "capability",
    "capability_of",
    "prepare_call",
    "result_to_json",
]
