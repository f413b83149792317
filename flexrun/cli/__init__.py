"""The command line: one small module for each group of commands."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flexrun import __version__
from flexrun.cli import (
    capabilities,
    config,
    database,
    dead,
    doctor,
    examples,
    facets,
    follow,
    hitl,
    limits,
    mcp,
    operations,
    plan,
    policies,
    runs,
    serve,
    settings,
    tasks,
    tokens,
    webhooks,
    work,
    workers,
)
from flexrun.cli.help_examples import add_examples
from flexrun.cli.output import lost_output_told


class _App(TyperGroup):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """The whole command, its help and its errors included."""
        with lost_output_told():
            return super().main(*args, **kwargs)


app = typer.Typer(
    name="flexrun",
    cls=_App,
    help="Runs tasks that have to be planned, worked on, approved, and delivered in exactly the asked-for shape.",
    epilog="All settings: flexrun settings, or docs/settings.md. Exit statuses: docs/operations.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
serve.register(app)
follow.register(app)
plan.register(app)
examples.register(app)
settings.register(app)
workers.register(app)
doctor.register(app)
app.add_typer(runs.app, name="runs")
app.add_typer(policies.app, name="policies")
app.add_typer(hitl.app, name="hitl")
app.add_typer(tasks.app, name="tasks")
app.add_typer(capabilities.app, name="capabilities")
app.add_typer(work.app, name="work")
app.add_typer(dead.app, name="dead")
app.add_typer(config.app, name="config")
app.add_typer(facets.app, name="facets")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(tokens.app, name="tokens")
app.add_typer(limits.app, name="limits")
app.add_typer(operations.app, name="operations")
app.add_typer(mcp.app, name="mcp")
app.add_typer(database.app, name="db")
add_examples(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flexrun {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Runs tasks that have to be planned, worked on, approved, and delivered in exactly the asked-for shape."""
