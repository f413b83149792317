"""The command line: one small module for each group of commands."""

from __future__ import annotations

import typer

from flexrun.cli import database, follow, serve

app = typer.Typer(
    name="flexrun",
    help="Runs tasks that have to be planned, worked on, approved, and delivered in exactly the asked-for shape.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
serve.register(app)
follow.register(app)
app.add_typer(database.app, name="db")
