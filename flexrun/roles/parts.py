"""The parts that the roles of one process share."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.interface import Broker
from broker.readiness import ReadinessProbe
from eventstore.capability_cache import CapabilityCache
from eventstore.facet_cache import FacetCache
from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.store import EventStore
from flexrun.metrics.service import Metrics
from flexrun.roles import Role
from flexrun.shutdown import Shutdown

if TYPE_CHECKING:
    from contracts.checker import ContractChecker
    from sandbox.sandbox import Sandbox

PRELOADED: dict[Role, tuple[str, ...]] = {
    "gateway": ("contracts.process",),
    "planner": ("planner.child", "planner.model.child"),
    "executor": (
        "contracts.process",
        "executor.child",
        "executor.stubs.mapping",
        "executor.stubs.linkedin.briefs",
        "executor.stubs.linkedin.posts",
        "executor.stubs.linkedin.reviews",
    ),
}
"""What the sandbox's children import as they start, so that the first run need not wait for it."""

_SPARE_AFTER_SECONDS = 10.0
"""A child takes half a second of CPU time to start, which the first runs have a better use for."""


@dataclass(slots=True)
class RoleParts:
    """The parts that exist once for all roles; `worker` names this process in leases.

    What works in a role is stopped by `shutdown`, concurrently with the other roles; `stack` closes what it depends on.
    """

    store: EventStore
    handler: RunHandler
    listener: LogListener
    broker: Broker
    readiness: ReadinessProbe
    worker: str
    roles: frozenset[Role]
    capabilities: CapabilityCache
    facets: FacetCache
    stack: AsyncExitStack
    shutdown: Shutdown
    metrics: Metrics
    gateway_url: str | None = None
    """Where the gateway of this process listens."""

    _sandbox: Sandbox | None = None
    _contracts: ContractChecker | None = None

    async def sandbox(self) -> Sandbox:
        """The child processes that compute on untrusted input, started for the first role that asks."""
        if self._sandbox is None:
            from sandbox.config import SandboxConfig  # noqa: PLC0415 - for a role that asks
            from sandbox.sandbox import Sandbox  # noqa: PLC0415 - the same

            modules = dict.fromkeys(module for role in self.roles for module in PRELOADED[role])
            config = SandboxConfig(preload=tuple(modules), spare_after_seconds=_SPARE_AFTER_SECONDS)
            self._sandbox = await self.stack.enter_async_context(Sandbox(config))
        return self._sandbox

    async def contracts(self) -> ContractChecker:
        """The one contract checker, started for the first role that asks; it checks in the sandbox."""
        if self._contracts is None:
            from contracts.checker import ContractChecker  # noqa: PLC0415 - only for a role that checks

            self._contracts = await self.stack.enter_async_context(
                ContractChecker(sandbox=await self.sandbox())
            )
        return self._contracts
