"""Whose turn it is: weighted round robin between tenants, as start-time fair queueing counts it.

For each tenant a number says how much of its share it has had: a piece of work moves it on by one, divided by the
tenant's weight. Next is the tenant with the lowest number. One that comes back after a time begins where the others
are (`floor`): that it wanted nothing meanwhile gives it no credit with which to shut others out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_KNOWN = 1_000
"""So many tenants are remembered; then those that are furthest ahead wait no longer than the others."""


@dataclass(slots=True)
class Turns:
    """What one consumer has served, by tenant. Each consumer is fair by itself, so that all of them are."""

    floor: float = 0.0
    _served: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def served(self) -> Mapping[str, float]:
        """Of the tenants that are ahead of `floor`."""
        return self._served

    def note(self, tenant: str, weight: int, turn: float) -> None:
        """A piece of a tenant's work was taken whose turn was at `turn`; call it in the order of turns."""
        self._served[tenant] = max(self._served.get(tenant, self.floor), turn + 1 / weight)
        self.floor = max(self.floor, turn)
        self._served = {each: had for each, had in self._served.items() if had > self.floor}
        if len(self._served) > MAX_KNOWN:
            self._served.clear()
