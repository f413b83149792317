"""How the caller's contract is filled, and what that asks of each node; remembered where it can be."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

import orjson

from contracts.lru import LruCache
from planner.contract import Contract
from planner.mapping.flat import Budget
from planner.mapping.mapper import Mapper
from planner.mapping.material import Material
from planner.mapping.output_limits import OutputLimits, check_amount, limits_by_node
from planner.mapping.problems import Mapped

MAX_REMEMBERED = 256
MAX_REMEMBERED_BYTES = 16 * 1024

_Key = tuple[bytes, Hashable]


@dataclass(frozen=True, slots=True)
class ContractFit:
    """`mapped` fills the contract; `asked` is what it asks of each node, by id, beyond the node's facet."""

    mapped: Mapped
    asked: Mapping[str, OutputLimits]


@dataclass(slots=True)
class ContractFits:
    """Makes contract fits, and keeps the last few that do not depend on what an envelope says. They are immutable."""

    _known: LruCache[_Key, ContractFit] = field(default_factory=lambda: LruCache(MAX_REMEMBERED))

    def of(self, contract: Contract, material: Material, budget: Budget | None = None) -> ContractFit:
        """Raises Unmappable, or TooComplex when `budget` is spent."""
        schema = contract.schema
        key = (orjson.dumps(schema), material.fit_key)
        known = self._known.get(key)
        if known is not None:
            return known
        mapped = Mapper(schema, contract.schema_path, material, budget).map()
        check_amount(mapped.demands)
        fit = ContractFit(mapped, limits_by_node(mapped.demands))
        if not material.touched and len(key[0]) <= MAX_REMEMBERED_BYTES:
            self._known.put(key, fit)
        return fit
