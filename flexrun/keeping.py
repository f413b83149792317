"""What the keeper of a process does beside its rounds, by the settings: remove runs, write checkpoints."""

from __future__ import annotations

from broker.interface import Broker
from broker.keeper import Keeper, KeeperConfig
from eventstore.checkpoint_schedule import CheckpointSchedule
from eventstore.export_files import export_into
from eventstore.handler import RunHandler
from eventstore.store import EventStore
from flexrun.settings import DAY_SECONDS, Settings

_HOUR_SECONDS = 3_600.0


def keeper_of(
    store: EventStore, handler: RunHandler, broker: Broker, settings: Settings, version: str
) -> Keeper:
    """The keeper that these settings ask for, not started; `version` is ours, for what it exports."""
    days, folder = settings.retention_days, settings.retention_folder
    config = KeeperConfig(
        retention_seconds=None if days is None else days * DAY_SECONDS,
        operations_kept_seconds=settings.operations_keep_days * DAY_SECONDS,
    )
    export = export_into(store, folder, version) if folder is not None else None
    return Keeper(store, handler, broker, config, export=export, checkpoints=checkpoint_schedule(settings))


def checkpoint_schedule(settings: Settings) -> CheckpointSchedule | None:
    """When and where checkpoints are written; None where none are."""
    folder, key_file = settings.checkpoint_folder, settings.checkpoint_key_file
    if settings.checkpoint_hours is None or folder is None or key_file is None:
        return None
    seconds = settings.checkpoint_hours * _HOUR_SECONDS
    return CheckpointSchedule(seconds, folder, key_file, settings.checkpoint_keep)
