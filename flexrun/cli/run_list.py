"""`flexrun runs list`: runs by any filter, page by page, or kept up to date on the terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Group
from rich.live import Live

from flexrun.api import API
from flexrun.cli.context import (
    ClientFilter,
    CommandContext,
    Document,
    JsonFlag,
    LimitFlag,
    ThreadFilter,
    TokenFlag,
    UrlFlag,
    query_text,
    short_time,
    table,
    words,
)
from flexrun.cli.run_filters import PAGES_WITHOUT_A_RUN, RunQuery, age_help, check_age, pages, run_query
from schemas.visible import visible_json

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

WATCH_SECONDS = 2.0

STATUSES = "pending, planning, running, awaiting_hitl, awaiting_human, paused, completed, failed or aborted"
WAITS = "person, task, paused, timer, worker, lease, limit, endpoint or callback"
_EXAMPLE = "Example: flexrun runs list --status failed --client acme --newer-than 1d"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="list", epilog=_EXAMPLE)(list_runs)


def list_runs(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    status: Annotated[list[str] | None, typer.Option("--status", help=f"{STATUSES}; again for more")] = None,
    objective: Annotated[
        str | None, typer.Option("--objective", help="only where the objective has this text in it")
    ] = None,
    client: ClientFilter = None,
    label: Annotated[str | None, typer.Option("--label", help="only where metadata.runLabel is this")] = None,
    thread: ThreadFilter = None,
    capability: Annotated[
        str | None, typer.Option("--capability", help="only where a node of the plan has this capability")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help=age_help("longer ago"), callback=check_age)
    ] = None,
    newer_than: Annotated[
        str | None, typer.Option("--newer-than", help=age_help("less long ago"), callback=check_age)
    ] = None,
    waiting_for: Annotated[
        str | None, typer.Option("--waiting-for", help=f"only open runs that wait for this: {WAITS}")
    ] = None,
    submitted_by: Annotated[
        str | None, typer.Option("--submitted-by", help="only those that this person submitted")
    ] = None,
    error: Annotated[str | None, typer.Option("--error", help="only those that ended with this code")] = None,
    imported: Annotated[
        bool | None, typer.Option("--imported/--not-imported", help="only imported runs, or only the others")
    ] = None,
    limit: LimitFlag = 50,
    cursor: Annotated[str | None, typer.Option("--cursor", help="go on where a page ended")] = None,
    every: Annotated[bool, typer.Option("--all", help="all pages; with --json a line for each run")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="show what changes; with --json a line for each changed run")
    ] = False,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Runs, newest first. All filters together must match."""
    query = run_query(
        {
            "status": status,
            "objective": objective,
            "client": client,
            "label": label,
            "thread": thread,
            "capability": capability,
            "older-than": older_than,
            "newer-than": newer_than,
            "waiting-for": waiting_for,
            "submitted-by": submitted_by,
            "error": error,
            "imported": imported,
        }
    )
    context = CommandContext(url, token, as_json)
    if watch:
        context.ask(lambda gateway: _watch(gateway, context, query, limit, as_json))
    elif every:
        context.ask(lambda gateway: _print_all(gateway, context, query, cursor, as_json))
    else:
        context.show(context.ask(lambda gateway: _some(gateway, query, cursor, limit)), _listed)


async def _some(client: GatewayClient, query: RunQuery, cursor: str | None, limit: int) -> Document:
    """As many runs as were asked for, over as many pages as it takes, within reason."""
    found: list[Document] = []
    answer: Document = {"runs": found}
    empty = 0
    while len(found) < limit and empty <= PAGES_WITHOUT_A_RUN:
        asked = {**query, "limit": limit - len(found), "cursor": cursor}
        page: Document = await client.call("GET", f"{API}/runs" + query_text(asked))
        found += page["runs"]
        empty = 0 if page["runs"] else empty + 1
        cursor = page.get("nextCursor")
        if cursor is None:
            return answer
    return {**answer, "nextCursor": cursor}


async def _print_all(
    client: GatewayClient, context: CommandContext, query: RunQuery, cursor: str | None, as_json: bool
) -> None:
    async for page in pages(client, query, cursor=cursor):
        if as_json:
            for run in page["runs"]:
                print_line(run)
        elif page["runs"]:
            context.console.print(run_table(page["runs"]), soft_wrap=True)


async def _watch(
    client: GatewayClient, context: CommandContext, query: RunQuery, limit: int, as_json: bool
) -> None:
    """Until Ctrl-C."""
    known: dict[str, str] = {}
    live = Live(console=context.console, auto_refresh=False) if not as_json else None
    if live is not None:
        live.start()
    try:
        while True:
            answer = await _some(client, query, None, limit)
            if live is not None:
                live.update(Group(*_listed(answer)), refresh=True)
            else:
                for run in answer["runs"]:
                    if known.get(run["runId"]) != run["lastEventId"]:
                        print_line(run)
                known = {run["runId"]: run["lastEventId"] for run in answer["runs"]}
            await asyncio.sleep(WATCH_SECONDS)
    finally:
        if live is not None:
            live.stop()


def print_line(document: Any) -> None:
    """One line of JSON, flushed at once."""
    line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    sys.stdout.buffer.write(visible_json(line).encode())
    sys.stdout.buffer.flush()


def run_table(runs: list[Document]) -> Any:
    """A line for each run."""
    rows = [
        (each["runId"], short_time(each["createdAt"]), each["status"], each["objective"]) for each in runs
    ]
    return table(("run", "created", "status", "objective"), rows, empty="There are no such runs.")


def _listed(answer: Document) -> list[Any]:
    shown = [run_table(answer["runs"])]
    if "nextCursor" in answer:
        shown.append(words(f"There may be more: --all, --limit, or --cursor {answer['nextCursor']}", "dim"))
    return shown
