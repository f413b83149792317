"""`flexrun db restore`: the log of a run as an exported file has it, where it was changed in the database.

The command imports the event store itself: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told, opened_store
from flexrun.cli.first_token import user
from flexrun.cli.shared import EXIT_CANNOT_TELL, run_async, stop
from schemas.visible import visible

if TYPE_CHECKING:
    from eventstore.restore import Restored, WholeRun


def restore(
    file: Annotated[Path, typer.Argument(help="a file of runs export, db prune or a keeper")],
    head_hash: Annotated[
        str | None,
        typer.Option("--head-hash", help="what the hash of its last event must be, from elsewhere"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only check the file")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    database: DatabaseFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Put the log of one run back as an exported file has it, where db verify has found that it was changed.

    Only for a superuser of the database: the log refuses changes. Compare the file with a checkpoint first. Then:
    flexrun db rebuild, and flexrun db verify. Recorded in the operations log.

    Example: flexrun db restore 01a2037d.jsonl.gz --yes
    """
    from eventstore.restore import RestoreRefused, read_export  # noqa: PLC0415 - see the module's docstring

    url = database_url(database)
    try:
        run = read_export(file)
        if head_hash is not None and head_hash != run.head_hash:
            raise RestoreRefused(f"the hash of its last event is {run.head_hash}, not {head_hash}")
    except OSError as error:
        stop(f"Cannot read {visible(str(file))}: {error.strerror}")
    except RestoreRefused as refused:
        stop(f"{visible(str(file))}: {visible(str(refused))}")
    asked = f"Write the log of run {run.run_id} anew from this file ({len(run.events)} events)?"
    if dry_run or not (yes or typer.confirm(asked, err=True)):
        typer.echo(_report(run, None, as_json=as_json))
        return
    with failure_told("Nothing was restored"):
        typer.echo(_report(run, run_async(_restored(url, run)), as_json=as_json))


async def _restored(url: str, run: WholeRun) -> Restored:
    from psycopg.errors import InsufficientPrivilege  # noqa: PLC0415 - see the module's docstring

    from eventstore.operations import Operation, new_operation_id, write_operations  # noqa: PLC0415 - the same
    from eventstore.restore import RestoreRefused, restore  # noqa: PLC0415 - the same

    async with opened_store(url) as store:
        now = store.clock()
        operation = Operation(
            new_operation_id(now),
            now,
            "flexrun db restore",
            "restoreRun",
            "run",
            run.run_id,
            run.run_id,
            user(),
        )
        await write_operations(store, [operation])
        operation.outcome = "refused"
        try:
            restored = await restore(url, run)
            operation.outcome = "done"
        except InsufficientPrivilege:
            stop(
                "Nothing was restored: the log refuses changes, and only a superuser of the database may pass over that"
                " (--database postgresql://postgres@…).",
                EXIT_CANNOT_TELL,
            )
        except RestoreRefused as refused:
            stop(f"Nothing was restored: {visible(str(refused))}")
        finally:
            operation.finished_at = store.clock()
            await write_operations(store, [operation])
    return restored


def _report(run: WholeRun, restored: Restored | None, *, as_json: bool) -> str:
    written, removed = (restored.written, restored.removed) if restored is not None else (0, 0)
    if as_json:
        document = {
            "runId": run.run_id,
            "events": len(run.events),
            "headHash": run.head_hash,
            "dryRun": restored is None,
            "written": written,
            "removed": removed,
        }
        return orjson.dumps(document).decode()
    about = f"run {run.run_id}: {len(run.events)} events, the last one has the hash {run.head_hash}"
    if restored is None:
        return f"{about}; the file is whole, nothing was written"
    return f"{about}; {written} written, {removed} removed. Next: flexrun db rebuild, flexrun db verify"
