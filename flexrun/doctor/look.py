"""Looks at everything at the same time, each part within its time: a server that hangs is a finding, too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import psycopg

from eventstore.errors import DatabaseUnsuitable, StoreError, explain
from flexrun.doctor.broker import look_at_broker
from flexrun.doctor.findings import Area, Finding, problem
from flexrun.doctor.here import embedded_url, look_at_disk, look_at_settings
from flexrun.doctor.identity import look_at_identity
from flexrun.doctor.inside import look_inside
from flexrun.doctor.proof import look_at_checkpoints
from flexrun.doctor.server import look_at_schema, look_at_server, look_for_room, open_server
from flexrun.keeping import checkpoint_schedule
from flexrun.settings import Settings

PART_SECONDS = 12.0
"""How long one part may take: connecting (5 s), and its statements."""

_STEP_SECONDS = 6.0


async def look(settings: Settings) -> list[Finding]:
    """All findings, in the order of their areas."""
    parts = await asyncio.gather(
        _within("database", lambda: _database(settings)),
        _within("broker", lambda: look_at_broker(settings)),
        _within("identity", lambda: look_at_identity(settings)),
    )
    return [*look_at_settings(settings), *parts[2], *parts[0], *parts[1], *look_at_disk(settings)]


async def _within(area: Area, part: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await part()
    except TimeoutError:
        seen = f"no answer within {PART_SECONDS:g} s"
        return [
            problem(area, "answer", seen, "it accepts connections and does not answer: look at that server")
        ]


async def _database(settings: Settings) -> list[Finding]:
    url = settings.database_url or embedded_url(settings.data)
    if url is None:
        seen = f"no embedded database runs on {settings.data}, and FLEXRUN_DATABASE_URL is not set"
        return [problem("database", "server", seen, "start flexrun up, or name the database: --database")]
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            connection, server = await open_server(url)
    except (psycopg.Error, DatabaseUnsuitable, StoreError, OSError, TimeoutError) as error:
        advice = "start it, or mend FLEXRUN_DATABASE_URL; nothing else of it was looked at"
        return [problem("database", "server", f"it cannot be reached: {_reason(error)}", advice)]
    found = look_at_server(server)
    try:
        schema = await look_at_schema(connection, server)
        found += schema
        if not any(each.level == "problem" for each in schema):
            found += [
                *await look_inside(connection, settings.backlog_limit),
                *await look_at_checkpoints(connection, checkpoint_schedule(settings)),
                await look_for_room(connection),
            ]
    except psycopg.Error as error:
        seen = f"the tables could not be looked at: {_reason(error)}"
        found.append(problem("database", "tables", seen, "look at that server, and ask the doctor again"))
    finally:
        await _hang_up(connection)
    return found


async def _hang_up(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    async with asyncio.timeout(1.0):
        await connection.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_STEP_SECONDS:g} s"
    return explain(error) if isinstance(error, psycopg.Error) else str(error)


def worst(findings: Sequence[Finding]) -> str:
    """The worst level among these."""
    levels = {each.level for each in findings}
    return next((level for level in ("problem", "warning") if level in levels), "ok")
