"""`flexrun operations …`: the operations log, who did what and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flexrun.api import API
from flexrun.cli.context import (
    CommandContext,
    Document,
    JsonFlag,
    LimitFlag,
    RunFilter,
    TokenFlag,
    UrlFlag,
    table,
    words,
)

app = typer.Typer(help="The operations log: who did what, and what came of it.", no_args_is_help=True)


@app.callback()
def _operations() -> None:
    """The operations log: who did what, and what came of it."""


@app.command(
    name="list",
    epilog="For example: flexrun operations list --actor ada --since 2026-11-01T00:00:00Z",
)
def list_operations(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    actor: Annotated[str | None, typer.Option("--actor", help="only what this person did")] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="only this operation, such as abortRun or addWebhook")
    ] = None,
    run: RunFilter = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="only what was done to a capability, webhook, token, link, …")
    ] = None,
    object_id: Annotated[
        str | None, typer.Option("--id", help="only what was done to the one of this id")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="only begun, done, refused or failed ones")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="only from this time on (RFC 3339)")] = None,
    until: Annotated[str | None, typer.Option("--until", help="only before this time (RFC 3339)")] = None,
    cursor: Annotated[str | None, typer.Option("--cursor", help="go on after a page: its nextCursor")] = None,
    limit: LimitFlag = 50,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Who did what, newest first."""
    context = CommandContext(url, token, as_json)
    query = {
        "actor": actor,
        "action": action,
        "runId": run,
        "objectKind": kind,
        "objectId": object_id,
        "outcome": outcome,
        "since": since,
        "until": until,
        "cursor": cursor,
        "limit": limit,
    }
    context.show(context.get(f"{API}/operations", query), _listed)


def _listed(answer: Document) -> Any:
    rows = [
        (
            each["at"][:19].replace("T", " "),
            _who(each),
            each["action"],
            _what(each),
            _outcome(each),
            each.get("reason"),
        )
        for each in answer["operations"]
    ]
    shown: list[Any] = [
        table(("at", "who", "action", "on", "outcome", "says"), rows, empty="Nothing like this was done.")
    ]
    if "nextCursor" in answer:
        shown.append(words(f"There are more: --cursor {answer['nextCursor']}", "dim"))
    return shown


def _who(entry: Document) -> str:
    claimed = entry.get("claimedActor")
    return f"{entry['actor']} (says: {claimed})" if claimed else str(entry["actor"])


def _what(entry: Document) -> str:
    shown = f"{entry['objectKind']} {entry.get('objectId', '')}".strip()
    run = entry.get("runId")
    return shown if run is None or run == entry.get("objectId") else f"{shown} of run {run}"


def _outcome(entry: Document) -> str:
    code = entry.get("code")
    return f"{entry['outcome']} ({code})" if code else str(entry["outcome"])
