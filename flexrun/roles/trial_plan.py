"""Planning without a run, for a gateway: the planner that runs are planned by, in the gateway's own sandbox.

The planner is imported, in a thread, for the first plan that is asked for: most gateways are never asked for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from contracts.problems import CheckerUnavailable
from gateway.runs.trial_planner import TrialPlanner
from runs.event import JsonObject
from sandbox.errors import SandboxFailed, SandboxUnavailable
from sandbox.sandbox import Sandbox
from schemas.house_policy import HousePolicy


def trial_planner(sandbox: Callable[[], Awaitable[Sandbox]]) -> TrialPlanner:
    """Plans in a child of `sandbox`. The planner raises CheckerUnavailable where no child process can be started."""

    async def plan(
        envelope: JsonObject,
        capabilities: Sequence[JsonObject],
        facets: Mapping[str, JsonObject],
        house: HousePolicy,
    ) -> JsonObject:
        trial_plan = await asyncio.to_thread(_imported)
        try:
            return await trial_plan(await sandbox(), envelope, capabilities, facets, house)
        except (SandboxFailed, SandboxUnavailable) as failure:
            raise CheckerUnavailable(str(failure)) from None

    return plan


def _imported() -> Callable[..., Awaitable[JsonObject]]:
    from planner.trial import trial_plan  # noqa: PLC0415 - see the module's docstring

    return trial_plan
