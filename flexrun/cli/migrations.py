"""`flexrun db migrate`: the schema of this release, and whether processes that serve may go on meanwhile.

The command imports the event store itself: the import is slow, and most of `flexrun` does not need it.
"""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from flexrun.cli.database_shared import DatabaseFlag, JsonFlag, database_url, failure_told
from flexrun.cli.shared import EXIT_CANNOT_TELL, run_async, stop


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what is missing")] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="also where processes would not survive it")
    ] = False,
    database: DatabaseFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring the schema up to date. Safe to run again, and from several places at once.

    Processes of the release before may go on, unless a migration says otherwise: then they have to be stopped first,
    and while one is there nothing is migrated.

    Example: flexrun db migrate --dry-run
    """
    from eventstore.migrate import look_ahead  # noqa: PLC0415 - see the module's docstring
    from eventstore.migrate import migrate as run_migrations  # noqa: PLC0415 - the same

    url = database_url(database)
    with failure_told("Nothing was migrated"):
        outlook = run_async(look_ahead(url))
        if outlook.incompatible and not dry_run and not anyway and outlook.present:
            stop(
                f"Nothing was migrated: {', '.join(outlook.incompatible)} cannot be worked with by older processes, and"
                f" some are there ({', '.join(outlook.present)}). Stop them first, or say --anyway.",
                EXIT_CANNOT_TELL,
            )
        applied = [] if dry_run else run_async(run_migrations(url))
    if as_json:
        missing = outlook.missing if dry_run else []
        typer.echo(
            orjson.dumps({"applied": applied, "missing": missing, "incompatible": outlook.incompatible})
        )
        return
    lines = [f"applied {name}" for name in applied] or [
        f"missing {name}" for name in outlook.missing if dry_run
    ]
    typer.echo("\n".join(lines) or "up to date")
    if dry_run and outlook.missing:
        typer.echo(
            f"stop processes that serve before: {', '.join(outlook.incompatible)}"
            if outlook.incompatible
            else "processes that serve may go on meanwhile"
        )
