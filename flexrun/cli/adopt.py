"""`flexrun db adopt`: the log of a database that was restored from a dump into another server.

The command imports the event store itself: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told
from flexrun.cli.shared import run_async


def adopt(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    database: DatabaseFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a log that was restored from a dump (pg_dump) into another server that server's own.

    To be called once by the owner of the tables, before the first process starts: the log's commits are numbered below
    the server's own transactions, so that webhooks go on where they were. It writes each row of the log once and locks
    it meanwhile. Where there is nothing to do it does nothing; a restored base backup needs none.

    Example: flexrun db adopt --yes
    """
    from eventstore.adopt import adopt as run_adopt  # noqa: PLC0415 - see the module's docstring

    url = database_url(database)
    if not yes:
        typer.confirm(
            "Number the events of this database anew, where a dump was restored?", abort=True, err=True
        )
    with failure_told("The log is as it was"):
        adopted = run_async(run_adopt(url))
    if as_json:
        typer.echo(orjson.dumps({"events": adopted.events, "webhooks": adopted.webhooks}))
    elif adopted.events or adopted.webhooks:
        typer.echo(f"{adopted.events} events and {adopted.webhooks} webhooks are this server's now")
    else:
        typer.echo("the log is this server's own, nothing was changed")
