"""How capabilities are reached whose home is not the executor's own process: a module for each type of home."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from executor.capability import Capability
from executor.homes.parts import HomeParts
from executor.remote import Connect
from schemas.capability import CapabilityDescriptor

OpenHome = Callable[[HomeParts], Connect]


def _http(parts: HomeParts) -> Connect:
    from executor.homes.http import open_http  # noqa: PLC0415 - aiohttp, for a process that calls a service

    return open_http(parts)


def _model(parts: HomeParts) -> Connect:
    from executor.homes.model import open_model_home  # noqa: PLC0415 - for a process that calls models

    return open_model_home(parts)


def _mcp(parts: HomeParts) -> Connect:
    from executor.homes.mcp import open_mcp_home  # noqa: PLC0415 - for a process that calls MCP tools

    return open_mcp_home(parts)


HOMES: Mapping[str, OpenHome] = MappingProxyType({"http": _http, "mcp": _mcp, "model": _model})
"""The type of a home → what opens it in a process: called once, before the first capability with such a home."""


def open_homes(parts: HomeParts) -> Mapping[str, Connect]:
    """The type of a home → what makes a capability of a descriptor with such a home."""
    return {name: _opened_at_first_use(open_home, parts) for name, open_home in HOMES.items()}


def _opened_at_first_use(open_home: OpenHome, parts: HomeParts) -> Connect:
    opened = cache(lambda: open_home(parts))

    def connect(descriptor: CapabilityDescriptor) -> Capability:
        return opened()(descriptor)

    return connect
