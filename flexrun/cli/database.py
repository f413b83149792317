"""`flexrun db …`: the schema and the read models.

The commands import the event store themselves: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import orjson
import typer
from rich.console import Console

from flexrun.cli.shared import EXIT_CANNOT_TELL, EXIT_NO, load_settings, run_async, say, stop
from schemas.visible import visible, visible_json

app = typer.Typer(
    help="The database: migrations, and read models rebuilt from the log.", no_args_is_help=True
)

DatabaseFlag = Annotated[str | None, typer.Option("--database", help="the database (FLEXRUN_DATABASE_URL)")]
JsonFlag = Annotated[bool, typer.Option("--json", help="print JSON")]


def _database_url(flag: str | None) -> str:
    from eventstore.connection import parse_url  # noqa: PLC0415 - see the module's docstring
    from eventstore.errors import DatabaseUnsuitable  # noqa: PLC0415 - the same

    url = load_settings(database_url=flag).database_url
    if url is None:
        stop(
            "Which database? --database postgresql://… or FLEXRUN_DATABASE_URL.\n"
            "These commands are for a Postgres of your own; flexrun up migrates its embedded one by itself."
        )
    try:
        parse_url(url)
    except DatabaseUnsuitable as error:
        stop(visible(str(error)))
    return url


@contextmanager
def _failure_told(outcome: str) -> Generator[None]:
    """End the command with a sentence instead of a traceback; `outcome` is what this means for the database."""
    from psycopg import Error  # noqa: PLC0415 - see the module's docstring

    from eventstore.errors import LogUnfoldable, StoreError, explain  # noqa: PLC0415 - the same

    try:
        yield
    except LogUnfoldable as error:
        stop(f"{outcome}: {visible(str(error))}\nAll such runs: flexrun db verify", EXIT_CANNOT_TELL)
    except StoreError as error:
        stop(f"{outcome}: {visible(str(error))}", EXIT_CANNOT_TELL)
    except Error as error:
        stop(f"{outcome}: {explain(error)}", EXIT_CANNOT_TELL)


@app.command()
def migrate(database: DatabaseFlag = None, as_json: JsonFlag = False) -> None:
    """Bring the schema up to date. Safe to run again, and from several places at once."""
    from eventstore.migrate import migrate as run_migrations  # noqa: PLC0415 - see the module's docstring

    url = _database_url(database)
    with _failure_told("Nothing was migrated"):
        applied = run_async(run_migrations(url))
    if as_json:
        typer.echo(orjson.dumps({"applied": applied}))
        return
    Console().print("\n".join(f"applied {name}" for name in applied) or "up to date")


@app.command()
def rebuild(database: DatabaseFlag = None, as_json: JsonFlag = False) -> None:
    """Drop the read models' rows and make them again from the log."""
    from eventstore.rebuild import rebuild as run_rebuild  # noqa: PLC0415 - see the module's docstring

    url = _database_url(database)
    say("Reading the log …", "dim")
    with _failure_told("Nothing was rebuilt, all rows are as they were"):
        run_async(run_rebuild(url))
    typer.echo(orjson.dumps({"rebuilt": True}) if as_json else "read models rebuilt from the log")


@app.command()
def verify(database: DatabaseFlag = None, as_json: JsonFlag = False) -> None:
    """Compare the read models with what the log says; exit 1 where they differ, 3 where that cannot be told.

    Changes nothing.
    """
    from eventstore.rebuild import compare  # noqa: PLC0415 - see the module's docstring

    url = _database_url(database)
    say("Reading the log …", "dim")
    with _failure_told("Nothing was verified"):
        differences = run_async(compare(url))
    if as_json:
        typer.echo(visible_json(orjson.dumps({"differences": [str(each) for each in differences]})))
    else:
        said = [visible(str(each)) for each in differences]
        typer.echo("\n".join(said) or "the read models are what the log says")
    if differences:
        raise typer.Exit(EXIT_NO)
