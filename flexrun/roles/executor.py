"""A process that runs the nodes of capabilities, and composes outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from executor.capability import Capability
from executor.computing import in_sandbox
from executor.config import ExecutorConfig
from executor.homes import open_homes
from executor.homes.mcp_allowed import AllowedCommands
from executor.homes.parts import HomeParts
from executor.human_capabilities import human_capabilities
from executor.registry import CapabilityRegistry
from executor.remote import RemoteCapabilities
from executor.stubs.shipped import stub_capabilities
from executor.worker import ExecutorWorker
from flexrun.metrics.service import look_at_slots
from flexrun.roles import ROLES
from flexrun.roles.loaded import offer_loaded
from flexrun.roles.parts import RoleParts
from flexrun.settings import Settings

if TYPE_CHECKING:
    from flexrun_sdk import CapabilityFunction


async def start_executor(
    settings: Settings,
    parts: RoleParts,
    capabilities: Sequence[Capability] | None,
    loaded: Sequence[CapabilityFunction] = (),
) -> ExecutorWorker:
    """Take the work of these capabilities (the stubs, where none are named) and of the loaded ones from now on.

    Raises ValueError for two of the same id, LoadFailed for what contradicts the facets that are registered.
    """
    config = ExecutorConfig(
        slots=settings.executor_slots,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.lease_seconds / 5,
        drain_seconds=settings.drain_seconds,
        serves_output=True,
    )
    sandbox = await parts.sandbox()
    run = in_sandbox(stub_capabilities() if capabilities is None else capabilities, sandbox)
    if loaded:
        run += await offer_loaded(parts.store, loaded)
    private = _may_call_private(settings, parts)
    homes = HomeParts(sandbox, AllowedCommands.of(settings.mcp_commands), allow_private=private)
    remote = RemoteCapabilities(parts.capabilities, open_homes(homes))
    worker = ExecutorWorker(
        parts.store,
        parts.handler,
        parts.broker,
        await parts.contracts(),
        CapabilityRegistry(run, human_capabilities(), remote),
        parts.worker,
        config,
        listener=parts.listener,
        callback_url=lambda: settings.public_url or parts.gateway_url or settings.url,
    )
    await worker.start()
    parts.metrics.watch(lambda: look_at_slots("executor", worker.busy, config.slots))
    parts.stack.push_async_callback(parts.shutdown.foundation, "homes", homes.stack.aclose)
    parts.shutdown.add("executor", worker.close)
    return worker


def _may_call_private(settings: Settings, parts: RoleParts) -> bool:
    """Where it is unset: only an engine that is all on this machine, and that only callers on it can reach."""
    told = settings.capability_allow_private
    if told is not None:
        return told
    if parts.roles != frozenset(ROLES) or settings.tokens is not None:
        return False
    from schemas.addresses import is_loopback  # noqa: PLC0415 - a process with all roles has loaded it already

    return is_loopback(settings.host)
