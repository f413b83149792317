"""`flexrun settings`: what can be set, and where."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from flexrun.cli.context import print_json, table

JsonFlag = Annotated[bool, typer.Option("--json", help="print JSON")]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(settings)


def settings(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List all settings: variable, flag, default, what it is. Their values are not shown."""
    from flexrun.settings_page import described_settings, flags_of  # noqa: PLC0415 - importing pydantic is slow

    rows = described_settings(flags_of(context.find_root().command))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    cells = [(row.variable, row.flag, row.default, row.what) for row in rows]
    console.print(table(("variable", "flag", "default", "what"), cells, empty=""), soft_wrap=True)
