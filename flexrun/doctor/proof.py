"""Whether checkpoints are written as the settings ask for."""

from __future__ import annotations

from eventstore.checkpoint_schedule import CheckpointSchedule, NewestCheckpoint
from eventstore.connection import Connection
from flexrun.doctor.findings import Finding, ok, problem
from flexrun.doctor.server import rows

_CHECK = "checkpoints"
_HOUR_SECONDS = 3_600.0


async def look_at_checkpoints(connection: Connection, schedule: CheckpointSchedule | None) -> list[Finding]:
    """The newest one by the operations log; nothing where there is no schedule. Raises psycopg.Error."""
    if schedule is None:
        return []
    newest = NewestCheckpoint(**(await rows(connection, "checkpoint/newest", {}))[0])
    age = None if newest.age_seconds is None else newest.age_seconds / _HOUR_SECONDS
    written = "none was written yet" if age is None else f"the newest is {age:.1f} hours old"
    if newest.failure is not None:
        seen = f"{written}, and the next one could not be written: {newest.failure}"
        advice = "mend that: it is tried again every minute, by the process that has the keeper's lock"
        return [problem("proof", _CHECK, seen, advice)]
    if newest.trouble(schedule.seconds) is not None:
        advice = "look for checkpoint_not_written in the logs, and whether the processes have the settings"
        return [
            problem(
                "proof", _CHECK, f"{written}, one is due every {schedule.seconds / _HOUR_SECONDS:g}", advice
            )
        ]
    return [ok("proof", _CHECK, written)]
