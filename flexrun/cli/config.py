"""`flexrun config show`: what each setting is, and where that came from."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console

from flexrun.cli.context import JsonFlag, TokenFlag, UrlFlag, given, print_json, table
from flexrun.cli.shared import load_settings

app = typer.Typer(help="The settings that are in force here.", no_args_is_help=True)


@app.callback()
def _config() -> None:
    """The settings that are in force here."""


@app.command()
def show(
    database: Annotated[
        str | None, typer.Option("--database", help="the database (FLEXRUN_DATABASE_URL)")
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", help="postgres, or amqp://… (FLEXRUN_BROKER_URL)")
    ] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Each setting's value and where it came from: a flag, the environment, a file, or the default; secrets are hidden.

    It shows what a process would have that is started here, with this environment.

    Example: FLEXRUN_PORT=9090 flexrun config show
    """
    from flexrun.secrets import SECRETS  # noqa: PLC0415 - importing pydantic is slow
    from flexrun.settings import Settings  # noqa: PLC0415 - the same
    from flexrun.settings_origin import settings_with_origin  # noqa: PLC0415 - the same
    from flexrun.unknown_settings import known_variables, unknown_settings  # noqa: PLC0415 - the same

    flags = {"database_url": database, "broker_url": broker, "url": url, "token": token}
    shown = settings_with_origin(load_settings(**flags), flags)
    if as_json:
        unknown = unknown_settings(os.environ, known_variables(Settings.model_fields, SECRETS))
        print_json({"settings": [given(each.model_dump()) for each in shown], "unknown": unknown})
        return
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    rows = [(each.variable, each.value or "", each.file or each.origin) for each in shown]
    console.print(table(("variable", "value", "from"), rows, empty=""), soft_wrap=True)
