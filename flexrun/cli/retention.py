"""`flexrun db prune` and `flexrun db sizes`: what is kept, and how much room it takes."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.filesize import decimal

from flexrun import __version__
from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told, opened_store
from flexrun.cli.durations import FORMS, seconds_of
from flexrun.cli.shared import EXIT_CANNOT_TELL, EXIT_INTERRUPTED, errors, run_async, say, stop
from flexrun.cli.tables import FittedTable
from schemas.visible import visible

if TYPE_CHECKING:
    from datetime import datetime

    from eventstore.retention import Prunable
    from eventstore.sizes import Sizes

_LEAST_SECONDS = 60.0
"""Runs that ended within the last minute are not removed: streams of them may still be read."""

_NICENESS = 10


def prune(
    older_than: Annotated[str, typer.Option("--older-than", help=f"runs that ended so long ago: {FORMS}")],
    export: Annotated[
        Path | None,
        typer.Option("--export", help="a folder: each run is written into a file there before it goes"),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="how many runs, at most")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    database: DatabaseFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove finished runs with all that belongs to them. Who asks for one later gets 410 and is told when.

    In small transactions, while runs go on; Ctrl-C stops after the bundle at hand, and the next call goes on.
    A run stays as long as a webhook has not been told of all of it. An exported run is a file as of `flexrun runs
    export`; a run whose file cannot be written stays.

    Example: flexrun db prune --older-than 90d --export /backup/runs
    """
    seconds = seconds_of(older_than)
    if seconds < _LEAST_SECONDS:
        stop("--older-than: 1m at least; streams of a run that has just ended may still be read.")
    url = database_url(database)
    with failure_told("What was removed so far stays removed; call again to go on"):
        before, found = run_async(_found(url, seconds))
        if dry_run or not found.runs or not _agreed(found, before, limit, yes=yes):
            _report({"dryRun": dry_run, **_asked(found, before)}, as_json=as_json)
            return
        done: dict[str, int] = {"runs": 0, "events": 0, "left": 0}
        try:
            run_async(_prune(url, before, _Bounds(found.runs, limit, export), done))
        except OSError as error:
            say(f"{done['runs']} runs are removed, the others are as they were.")
            stop(f"A run could not be exported: {visible(str(error))}", EXIT_CANNOT_TELL)
        except typer.Exit as left:
            if left.exit_code == EXIT_INTERRUPTED:
                say(
                    f"Stopped: {done['runs']} runs are removed, the others are as they were. Call again to go on."
                )
            raise
    _report({"dryRun": False, **_asked(found, before), "removed": done}, as_json=as_json)


def sizes(database: DatabaseFlag = None, as_json: JsonFlag = False) -> None:
    """How many bytes the database takes: by table, by index, by type of event.

    Of a large log a sample is read; the numbers of events are then estimates.

    Example: flexrun db sizes --json
    """
    url = database_url(database)
    with failure_told("The sizes are not known"):
        found = run_async(_sizes(url))
    if as_json:
        typer.echo(orjson.dumps(_sizes_document(found)))
    else:
        _print_sizes(found)


async def _found(url: str, seconds: float) -> tuple[datetime, Prunable]:
    from eventstore.retention import ended_before, prunable  # noqa: PLC0415 - slow to import, and most of flexrun needs none

    async with opened_store(url) as store:
        before = ended_before(store, seconds)
        return before, await prunable(store, before)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How many runs were found, how many may go, and where they are written before."""

    found: int
    limit: int | None
    folder: Path | None


async def _prune(url: str, before: datetime, bounds: _Bounds, done: dict[str, int]) -> None:
    """Remove them; `done` is counted on with each bundle."""
    from rich.progress import Progress, TextColumn  # noqa: PLC0415 - slow to import

    from eventstore.export_files import export_into  # noqa: PLC0415 - as above
    from eventstore.retention import prune as prune_runs  # noqa: PLC0415 - as above

    os.nice(_NICENESS)  # exports are compressed here, beside the engine
    columns = (*Progress.get_default_columns(), TextColumn("{task.completed:.0f} of {task.total:.0f} runs"))
    async with opened_store(url) as store:
        with Progress(*columns, console=errors, transient=True) as progress:
            task = progress.add_task("removing", total=min(bounds.found, bounds.limit or bounds.found))
            export = export_into(store, bounds.folder, __version__) if bounds.folder is not None else None
            async for bundle in prune_runs(store, before, export=export, limit=bounds.limit):
                for name, number in asdict(bundle).items():
                    done[name] += number
                progress.advance(task, bundle.runs + bundle.left)


async def _sizes(url: str) -> Sizes:
    from eventstore.sizes import sizes as ask_sizes  # noqa: PLC0415 - as above

    async with opened_store(url) as store:
        return await ask_sizes(store)


def _agreed(found: Prunable, before: datetime, limit: int | None, *, yes: bool) -> bool:
    if yes:
        return True
    runs = min(found.runs, limit or found.runs)
    return typer.confirm(f"Remove {runs} runs that ended before {before:%Y-%m-%d %H:%M}?", err=True)


def _asked(found: Prunable, before: datetime) -> dict[str, Any]:
    oldest = found.oldest.isoformat() if found.oldest is not None else None
    return {
        "endedBefore": before.isoformat(),
        "found": {"runs": found.runs, "events": found.events, "oldest": oldest},
    }


def _report(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(document))
        return
    found, removed = document["found"], document.get("removed")
    if removed is None:
        typer.echo(
            f"{found['runs']} runs with {found['events']} events ended before {document['endedBefore']}."
        )
        return
    typer.echo(f"{removed['runs']} runs with {removed['events']} events are removed.")
    rest = found["runs"] - removed["runs"]
    if rest > 0:
        typer.echo(f"{rest} are left: in use, waiting for a webhook, or beyond --limit.")


def _sizes_document(found: Sizes) -> dict[str, Any]:
    return {
        "tables": [asdict(each) for each in found.tables],
        "indexes": [asdict(each) for each in found.indexes],
        "events": [asdict(each) for each in found.events],
        "sampledPercent": found.sampled_percent,
    }


def _print_sizes(found: Sizes) -> None:
    console = Console()
    tables = [
        (each.name, max(each.rows_about, 0), decimal(each.table_bytes), decimal(each.large_value_bytes),
         decimal(each.index_bytes), decimal(each.total_bytes))
        for each in found.tables
    ]  # fmt: skip
    console.print(FittedTable(("table", "rows, about", "rows", "large values", "indexes", "in all"), tables))
    indexes = [(each.name, each.table_name, decimal(each.bytes), each.scans) for each in found.indexes]
    console.print()
    console.print(FittedTable(("index", "table", "size", "used"), indexes))
    events = [
        (each.type, each.events, decimal(each.bytes), decimal(each.bytes // max(each.events, 1)))
        for each in found.events
    ]
    console.print()
    console.print(FittedTable(("event", "how many", "in all", "each"), events))
    if found.sampled_percent < 100:
        console.print(f"Events: estimated from {found.sampled_percent} % of the log.")
