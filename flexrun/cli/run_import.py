"""`flexrun runs import`: a run from the file that an export wrote, to be read here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexrun.api import API
from flexrun.cli.context import CommandContext, Document, JsonFlag, TokenFlag, UrlFlag
from flexrun.cli.shared import stop
from schemas.visible import visible

_EXAMPLE = "Example: flexrun runs import run.jsonl.gz"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(name="import", epilog=_EXAMPLE)(import_run)


def import_run(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="a file of flexrun runs export")],
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take in an exported run, from here or elsewhere, to be read: shown, replayed, compared, verified, forked.

    It keeps its id, and nothing can be changed or answered in it. A run that is here already, with the same history,
    is left as it is. The token needs the scope admin.
    """
    context = CommandContext(url, token, as_json)
    try:
        with path.open("rb") as file:
            answer = context.ask(lambda client: client.upload(f"{API}/runs/import", file))
    except OSError as error:
        stop(f"Cannot read {visible(str(path))}: {error.strerror}")
    context.show(answer, _said)


def _said(answer: Document) -> str:
    run, events = answer["runId"], answer["events"]
    if answer["stored"]:
        status = answer["status"]
        return (
            f"run {run} ({status}) was imported, {events} events; to go on from it: flexrun runs fork {run}"
        )
    if "imported" in answer:
        return f"run {run} was imported before, with the same history: nothing was stored"
    return f"run {run} was made here and has all {events} events of the file: nothing was stored"
