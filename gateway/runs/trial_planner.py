"""What the gateway asks of the planner, which stands beside the gateway, so that it is handed in."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from runs.event import Json, JsonObject
from schemas.house_policy import HousePolicy


class TrialPlanner(Protocol):
    """Plans an envelope in wire form without a run: `{feasible, plan, cost, proved}` or `{feasible, diagnostics}`.

    `disabled` capabilities may not be used; diagnostics say what they would give.
    """

    def __call__(
        self,
        envelope: JsonObject,
        capabilities: Sequence[JsonObject],
        facets: Mapping[str, JsonObject],
        disabled: Sequence[JsonObject],
        house: HousePolicy,
    ) -> Awaitable[JsonObject]: ...


class PlanCheck(Protocol):
    """Completes and checks a plan that a person has edited: `{plan}` with its cost, or `{diagnostics}` with places.

    `base` is the plan that was asked about; the house forbids the ids and beginnings of ids in `forbidden`.
    """

    def __call__(
        self,
        envelope: JsonObject,
        sent: Json,
        base: JsonObject,
        capabilities: Sequence[JsonObject],
        forbidden: Sequence[str],
    ) -> Awaitable[JsonObject]: ...
