"""`flexrun runs …`: list, show and control runs."""

from __future__ import annotations

from typing import Annotated

import typer

from flexrun.api import API
from flexrun.cli import (
    run_control,
    run_diff,
    run_erase,
    run_events,
    run_export,
    run_import,
    run_list,
    run_replay,
)
from flexrun.cli.context import CommandContext, JsonFlag, TokenFlag, UrlFlag, in_path
from flexrun.cli.run_page import run_page

app = typer.Typer(help="Runs: find, show, replay and control them.", no_args_is_help=True)

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="the run's id")]


run_list.register(app)
run_events.register(app)
run_replay.register(app)
run_diff.register(app)
run_export.register(app)
run_import.register(app)
run_control.register(app)
run_erase.register(app)


@app.command(epilog="Example: flexrun runs show RUN --json")
def show(run: RunArgument, url: UrlFlag = None, token: TokenFlag = None, as_json: JsonFlag = False) -> None:
    """One run: why it is not moving, its plan, open requests, its output, and the runs that were made from it."""
    context = CommandContext(url, token, as_json)
    context.show(context.get(f"{API}/runs/{in_path(run)}"), run_page)
