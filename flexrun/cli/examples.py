"""`flexrun example`: the envelopes that come with flexrun."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flexrun.cli.shared import stop


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(example)


def examples_folder() -> Path:
    """The folder of the example envelopes: inside an installed package, at the root of a checkout."""
    installed = Path(__file__).parents[1] / "examples"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "examples"


def example(
    name: Annotated[str | None, typer.Argument(help="which one; without it, their names are listed")] = None,
) -> None:
    """Print an example envelope: flexrun example linkedin-approval | flexrun submit -"""
    found = {path.stem: path for path in sorted(examples_folder().glob("*.json"))}
    if name is None:
        typer.echo("\n".join(found))
    elif name in found:
        typer.echo(found[name].read_text(encoding="utf-8"), nl=False)
    else:
        stop(f"There is no example {name!r}. There are: {', '.join(found)}.")
