"""How capabilities are reached whose home is not the executor's own process: a module for each type of home."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from executor.remote import Connect

HOMES: Mapping[str, Connect] = MappingProxyType({})
"""The type of a home → what makes a capability of a descriptor with such a home."""
