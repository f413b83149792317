"""The command line: one small module for each group of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from flexrun import __version__
from flexrun.cli import database, examples, follow, hitl, runs, serve, tasks, webhooks

app = typer.Typer(
    name="flexrun",
    help="Runs tasks that have to be planned, worked on, approved, and delivered in exactly the asked-for shape.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
serve.register(app)
follow.register(app)
examples.register(app)
app.add_typer(runs.app, name="runs")
app.add_typer(hitl.app, name="hitl")
app.add_typer(tasks.app, name="tasks")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(database.app, name="db")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flexrun {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Runs tasks that have to be planned, worked on, approved, and delivered in exactly the asked-for shape."""
