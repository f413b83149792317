"""What the gateway asks for a plan without a run. The planner stands beside the gateway, so that it is handed in."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from runs.event import JsonObject
from schemas.house_policy import HousePolicy


class TrialPlanner(Protocol):
    """Plans an envelope in wire form without a run: `{feasible, plan, cost, proved}` or `{feasible, diagnostics}`."""

    def __call__(
        self,
        envelope: JsonObject,
        capabilities: Sequence[JsonObject],
        facets: Mapping[str, JsonObject],
        house: HousePolicy,
    ) -> Awaitable[JsonObject]: ...
