"""How the caller's contract is filled, and what that asks of each node; remembered where it can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from contracts.lru import LruCache
from planner.contract import Contract
from planner.mapping.flat import Budget
from planner.mapping.mapper import Mapper
from planner.mapping.output_limits import OutputLimits, check_amount, limits_by_node
from planner.mapping.problems import Mapped
from planner.scenarios.linkedin.scopes import Material

MAX_REMEMBERED = 256
MAX_REMEMBERED_BYTES = 16 * 1024

_Key = tuple[bytes, int, bool]


@dataclass(frozen=True, slots=True)
class ContractFit:
    """`mapped` fills the contract; `owed` is what it asks of each node beyond the node's facet."""

    mapped: Mapped
    owed: Mapping[str, OutputLimits]


@dataclass(slots=True)
class ContractFits:
    """Makes deliveries, and keeps the last few that owe nothing to what an envelope says. They are never changed."""

    _known: LruCache[_Key, ContractFit] = field(default_factory=lambda: LruCache(MAX_REMEMBERED))

    def of(self, contract: Contract, material: Material, budget: Budget | None = None) -> ContractFit:
        """Raises Unmappable, or TooComplex when `budget` is spent."""
        schema = contract.schema
        key = (orjson.dumps(schema), len(material.variants), material.markdown)
        known = self._known.get(key)
        if known is not None:
            return known
        mapped = Mapper(schema, contract.schema_path, material, budget).map()
        check_amount(mapped.demands)
        delivery = ContractFit(mapped, limits_by_node(mapped.demands))
        if not material.touched and len(key[0]) <= MAX_REMEMBERED_BYTES:
            self._known.put(key, delivery)
        return delivery
