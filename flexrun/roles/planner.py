"""A process that plans."""

from __future__ import annotations

from eventstore.handler import Transact
from flexrun.metrics.service import look_at_slots
from flexrun.roles.parts import RoleParts
from flexrun.settings import Settings
from planner.planner import Planner
from planner.sandboxed import SandboxedPlanner
from planner.worker import PlannerConfig, PlannerWorker
from schemas.planner_model import PlannerModel
from schemas.setting_document import read_setting

_SPARE_SECONDS = 60.0
"""What a plan may take beside the time of a model."""


async def start_planner(settings: Settings, parts: RoleParts, append_plan: Transact) -> None:
    """Take work of the queue `plan` from now on; plans are appended by `append_plan`. Raises SettingInvalid."""
    model = read_setting(PlannerModel, "FLEXRUN_PLANNER_MODEL", settings.planner_model)
    planner = await _planner(model, parts)
    config = PlannerConfig(
        slots=settings.planner_slots,
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.lease_seconds / 5,
        drain_seconds=settings.drain_seconds,
        timeout_seconds=_SPARE_SECONDS + (model.seconds if model is not None else 0),
    )
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
    parts.metrics.watch(lambda: look_at_slots("planner", worker.busy, config.slots))
    parts.shutdown.add("planner", worker.close)


async def _planner(model: PlannerModel | None, parts: RoleParts) -> Planner:
    """The contract planner, or a model planner in front of it."""
    sandbox = await parts.sandbox()
    contract = SandboxedPlanner(sandbox)
    if model is None:
        return contract
    from outbound.models.asking import Models  # noqa: PLC0415 - for a process that asks a model
    from planner.model.planner import MAX_ANSWER_BYTES, ModelPlanner  # noqa: PLC0415 - the same

    return ModelPlanner(model, Models(parts.stack, MAX_ANSWER_BYTES), sandbox, contract)
