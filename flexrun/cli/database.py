"""`flexrun db …`: the schema and the read models.

The commands import the event store themselves: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

import orjson
import typer

from flexrun.cli import (
    adopt,
    checkpoint,
    database_roles,
    first_token,
    migrations,
    restore,
    retention,
    rewrap,
    verify,
)
from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told
from flexrun.cli.shared import run_async, say

app = typer.Typer(
    help="The database: migrations, roles, read models rebuilt from the log, proof of the log, old runs, sizes.",
    no_args_is_help=True,
)
app.command()(migrations.migrate)
app.command()(first_token.token)
app.command()(retention.prune)
app.command()(retention.sizes)
app.command()(verify.verify)
app.command()(checkpoint.checkpoint)
app.command()(database_roles.roles)
app.command()(restore.restore)
app.command()(adopt.adopt)
app.command()(rewrap.rewrap)


@app.command()
def rebuild(database: DatabaseFlag = None, as_json: JsonFlag = False) -> None:
    """Drop the read models' rows and make them again from the log."""
    from eventstore.rebuild import rebuild as run_rebuild  # noqa: PLC0415 - see the module's docstring

    url = database_url(database)
    say("Reading the log …", "dim")
    with failure_told("Nothing was rebuilt, all rows are as they were"):
        run_async(run_rebuild(url))
    typer.echo(orjson.dumps({"rebuilt": True}) if as_json else "read models rebuilt from the log")
