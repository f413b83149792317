"""Bring your own functions to flexrun: `@capability` on a typed function makes a capability of it.

`Worker` runs such functions for a gateway; `Client` and `AsyncClient` submit runs and follow them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flexrun_sdk.calling import prepare_call, result_to_json
from flexrun_sdk.capability import CapabilityFunction, capabilities_in, capability, capability_of
from flexrun_sdk.context import Context
from flexrun_sdk.errors import CapabilityError, CapabilityMistake, PersonAsked

if TYPE_CHECKING:
    from flexrun_sdk.client import AsyncClient, Client, RunNotCompleted
    from flexrun_sdk.gateways import GatewayError, GatewayUnreachable
    from flexrun_sdk.worker import Worker

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "CapabilityError",
    "CapabilityFunction",
    "CapabilityMistake",
    "Client",
    "Context",
    "GatewayError",
    "GatewayUnreachable",
    "PersonAsked",
    "RunNotCompleted",
    "Worker",
    "capabilities_in",
    "capability",
    "capability_of",
    "prepare_call",
    "result_to_json",
]

_LATER = {
    "AsyncClient": "client",
    "Client": "client",
    "GatewayError": "gateways",
    "GatewayUnreachable": "gateways",
    "RunNotCompleted": "client",
    "Worker": "worker",
}
"""What speaks HTTP is loaded when it is asked for: an executor that runs the same functions needs none of it."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"flexrun_sdk.{_LATER[name]}"), name)
