"""The import of a run as a call into a child process: it takes seconds of CPU, and its file may be anybody's.

`import_in_child` is for `Sandbox.call`. Its argument has what `import_run` takes; the answer is a dictionary. What is
wrong with the file is an InputRefused.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg

from eventstore.errors import StoreError, brief
from eventstore.import_lines import ImportLimits, ImportRefused
from eventstore.importing import RunDiffers, import_run
from runs.event import JsonObject
from sandbox.errors import InputRefused

AWAY = "away"
"""The key of an answer that says why the database could not be reached."""

FUNCTION = "eventstore.import_child:import_in_child"


def import_in_child(argument: Any, _blob: bytes) -> JsonObject:
    """Import the file of the argument; raises InputRefused with `cause`, `message`, `line` or `differs`."""
    return asyncio.run(_import(argument))


async def _import(argument: Any) -> JsonObject:
    limits = ImportLimits(**argument["limits"])
    try:
        found = await import_run(
            argument["databaseUrl"],
            Path(argument["path"]),
            limits,
            argument["importedBy"],
            argument["tenant"],
        )
    except ImportRefused as refusal:
        raise InputRefused(
            {"cause": refusal.cause, "message": str(refusal), "line": refusal.line}
        ) from refusal
    except RunDiffers as error:
        raise InputRefused({"differs": str(error)}) from error
    except StoreError as error:
        return {AWAY: str(error)}
    except psycopg.Error as error:
        return {AWAY: brief(error)}
    return {
        "runId": found.header.run_id,
        "status": found.status,
        "events": found.header.events,
        "headHash": found.header.head_hash,
        "stored": found.stored,
        "imported": found.imported,
    }
