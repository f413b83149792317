"""A process that plans."""

from __future__ import annotations

from eventstore.handler import Transact
from flexrun.roles.parts import RoleParts
from flexrun.settings import Settings
from planner.sandboxed import SandboxedPlanner
from planner.worker import PlannerConfig, PlannerWorker


async def start_planner(settings: Settings, parts: RoleParts, append_plan: Transact) -> None:
    """Take work of the queue `plan` from now on; plans are appended by `append_plan`."""
    config = PlannerConfig(
        slots=settings.planner_slots,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.lease_seconds / 5,
        drain_seconds=settings.drain_seconds,
    )
    planner = SandboxedPlanner(await parts.sandbox())
    worker = PlannerWorker(
        parts.store,
        parts.handler,
        parts.broker,
        planner,
        parts.worker,
        config,
        listener=parts.listener,
        append_plan=append_plan,
    )
    await worker.start()
    parts.shutdown.add("planner", worker.close)
