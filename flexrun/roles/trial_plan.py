"""Planning without a run, for a gateway: the planner that runs are planned by, in the gateway's own sandbox.

The planner is imported, in a thread, for the first plan that is asked for: most gateways are never asked for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import ModuleType

from contracts.problems import CheckerUnavailable
from gateway.runs.trial_planner import PlanCheck, TrialPlanner
from runs.event import Json, JsonObject
from sandbox.errors import SandboxFailed, SandboxUnavailable
from sandbox.sandbox import Sandbox
from schemas.house_policy import HousePolicy


def trial_planner(sandbox: Callable[[], Awaitable[Sandbox]]) -> TrialPlanner:
    """Plans in a child of `sandbox`. The planner raises CheckerUnavailable where no child process can be started."""

    async def plan(
        envelope: JsonObject,
        capabilities: Sequence[JsonObject],
        facets: Mapping[str, JsonObject],
        disabled: Sequence[JsonObject],
        house: HousePolicy,
    ) -> JsonObject:
        module = await asyncio.to_thread(_imported)
        try:
            return await module.trial_plan(await sandbox(), envelope, capabilities, facets, disabled, house)
        except (SandboxFailed, SandboxUnavailable) as failure:
            raise CheckerUnavailable(str(failure)) from None

    return plan


def plan_check(sandbox: Callable[[], Awaitable[Sandbox]]) -> PlanCheck:
    """Checks plans that people have edited, in a child of `sandbox`. The check raises CheckerUnavailable as above."""

    async def check(
        envelope: JsonObject,
        sent: Json,
        base: JsonObject,
        capabilities: Sequence[JsonObject],
        forbidden: Sequence[str],
    ) -> JsonObject:
        module = await asyncio.to_thread(_imported)
        try:
            return await module.check_edited_plan(
                await sandbox(), envelope, sent, base, capabilities, forbidden
            )
        except (SandboxFailed, SandboxUnavailable) as failure:
            raise CheckerUnavailable(str(failure)) from None

    return check


def _imported() -> ModuleType:
    from planner import trial  # noqa: PLC0415 - see the module's docstring

    return trial
